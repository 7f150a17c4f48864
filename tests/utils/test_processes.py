"""Work spread over processes."""

import os

import pytest

from mmattn.utils.processes import in_processes


def test_in_this_process_in_order():
    assert list(in_processes(abs, [-3, 2, -1], workers=1)) == [3, 2, 1]
    assert set(in_processes(os.getenv, ['HOME'], workers=0)) == {os.getenv('HOME')}


def test_in_other_processes():
    assert sorted(in_processes(abs, [-3, 2, -1], workers=2)) == [1, 2, 3]
    with pytest.raises(TypeError, match='bad operand'):
        list(in_processes(abs, ['x'], workers=2))
