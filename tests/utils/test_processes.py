"""Work spread over processes."""

import os
import time

import pytest

from mmattn.utils.processes import TimeLimited, in_processes


def test_in_this_process_in_order():
    assert list(in_processes(abs, [-3, 2, -1], workers=1)) == [3, 2, 1]
    assert set(in_processes(os.getenv, ['HOME'], workers=0)) == {os.getenv('HOME')}


def test_in_other_processes():
    assert sorted(in_processes(abs, [-3, 2, -1], workers=2)) == [1, 2, 3]
    with pytest.raises(TypeError, match='bad operand'):
        list(in_processes(abs, ['x'], workers=2))


def test_a_call_that_hangs_is_ended():
    with TimeLimited(time.sleep, seconds=0.5) as sleep:
        assert sleep(0) is None
        first = sleep._process.pid
        with pytest.raises(TimeoutError, match=r'no result after 0\.5 s'):
            sleep(60)
        assert sleep(0) is None
        assert sleep._process.pid != first
        with pytest.raises(TypeError):
            sleep('x')
        process = sleep._process
    assert not process.is_alive()


def test_a_process_that_crashes():
    with TimeLimited(os._exit, seconds=60) as leave:
        for _ in range(2):
            with pytest.raises(ChildProcessError, match='crashed'):
                leave(1)
