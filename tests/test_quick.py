"""What ``make quick`` runs."""

import json

from quick import chosen

pytest_plugins = ['pytester']

SLEEPS = """
import time
import pytest

@pytest.mark.parametrize('seconds', [0.0, 0.2])
def test_sleeps(seconds):
    time.sleep(seconds)
"""


def test_shortest_that_fit_and_new_ones():
    seconds = dict(a=3.0, b=1.0, c=2.0, gone=0.1)
    assert chosen(['a', 'b', 'c', 'new'], seconds, 3.0) == {'b', 'c', 'new'}
    assert chosen(['a', 'b', 'c'], seconds, 2.9) == {'b'}
    assert chosen(['a', 'new'], seconds, 0.0) == {'new'}


def test_seconds_are_learned_and_used(pytester):
    pytester.makeconftest(
        'import quick\nfrom quick import *\nquick.SECONDS = 0.1\n'
        'pytest_collection_modifyitems = keep_quick\n'
    )
    pytester.makepyfile(SLEEPS)
    pytester.runpytest('-p', 'no:xdist', '--quick').assert_outcomes(passed=2)
    (file,) = pytester.path.rglob('seconds')
    assert sorted(json.loads(file.read_text()).values())[1] >= 0.2
    result = pytester.runpytest('-p', 'no:xdist', '--quick')
    result.assert_outcomes(passed=1, deselected=1)
