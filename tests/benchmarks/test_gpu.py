"""What `make gpu` runs and reports, without a GPU."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'benchmarks' / 'gpu.py'
RATIO = """
import sys
sys.path.insert(0, 'benchmarks')
from timing import Comparison, report
report('a / b', Comparison(2.0, 1.5, 2.5, 4.0, 2.0, 20), at_most=1)
sys.exit(1)
"""
OUTCOMES = """
import pytest

@pytest.mark.parametrize('number', [1, 2])
def test_one(number):
    assert number == 1

def test_two():
    pytest.skip('no')
"""


@pytest.fixture
def gpu():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def a_machine(monkeypatch, tmp_path):
    """Function that runs steps as on a GPU; the exit code and the report."""

    def run(steps):
        gpu = runpy.run_path(str(SCRIPT))
        main = gpu['main']
        told = 'print(\'{"device": "a GPU", "versions": {}}\')'
        main.__globals__['PROBE'] = told
        out = tmp_path / 'gpu.json'
        monkeypatch.setattr(sys, 'argv', ['gpu.py', '--out', str(out)])
        code = main(tuple(gpu['Step'](*step) for step in steps))
        return code, json.loads(out.read_text())

    return run


def test_ratios_and_missed_bounds_are_no_failure(a_machine):
    code, report = a_machine([('speed', 60, ('-c', RATIO))])
    assert code == 0
    (ratio,) = report['ratios']
    assert ratio == dict(
        benchmark='speed',
        name='a / b',
        ratio=2.0,
        low=1.5,
        high=2.5,
        seconds_a=4.0,
        seconds_b=2.0,
        pairs=20,
        bound='bound <= 1',
        passed=False,
    )
    assert report['device'] == 'a GPU'
    assert report['steps'][0]['outcome'] == 'exit code 1'


def test_outcomes_of_tests(a_machine, tmp_path):
    file = tmp_path / 'test_outcomes.py'
    file.write_text(OUTCOMES)
    plain = ('-m', 'pytest', '-v', '-p', 'no:cacheprovider', f'--rootdir={tmp_path}')
    code, report = a_machine([('tests', 60, (*plain, '-c', '/dev/null', str(file)))])
    assert code == 1
    found = {name.split('::')[1]: value for name, value in report['tests'].items()}
    assert found == {
        'test_one[1]': 'passed',
        'test_one[2]': 'failed',
        'test_two': 'skipped',
    }


def test_a_step_that_hangs_or_dies(a_machine):
    hang, die = 'import time; print(7, flush=True); time.sleep(60)', 'raise OSError'
    code, report = a_machine([('hangs', 2, ('-c', hang)), ('dies', 9, ('-c', die))])
    assert code == 1
    first, second = report['steps']
    assert first['outcome'] == 'time is up'
    assert first['tail'] == '7\n'
    assert first['seconds'] < 30
    assert second['outcome'] == 'exit code 1'
    assert 'OSError' in second['tail']


def test_limits_fit_into_the_time(gpu):
    steps = gpu['STEPS']
    assert sum(step.seconds for step in steps) <= gpu['SECONDS'] == 480
    for step in steps[1:]:
        assert (ROOT / step.arguments[2]).is_file()
        assert step.arguments[2].startswith('benchmarks/')


def test_only_given_wheels(gpu, tmp_path):
    with pytest.raises(SystemExit, match='--wheels: expected a folder of wheels'):
        gpu['install'](tmp_path, tmp_path)


@pytest.mark.slow
def test_dry_run_lists_the_tests(tmp_path):
    if __import__('torch').cuda.is_available():
        pytest.skip('there is a GPU')
    command = [sys.executable, str(SCRIPT), '--out', str(tmp_path / 'x.json')]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert 'no GPU here' in told.stdout
    for part in (
        'benchmarks/stbta.py --device cuda',
        'tests/test_devices.py::test_a_compiled_step[stbta-inductor-cuda]',
        'tests/test_devices.py::test_full_checkpoint_of_fsdp[convlstm-cuda]',
        'tests/engine/test_sync_batch_norm.py::test_sync_batch_norm_sees',
    ):
        assert part in told.stdout
    assert '-cpu]' not in told.stdout
    assert not list(tmp_path.iterdir())
