"""Every tool says what it does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
SCRIPTS = sorted(path for path in TOOLS.rglob('*.py'))


def show_help(script, flag, run_tool, capsys):
    assert run_tool(script, flag) == 0
    return capsys.readouterr().out


def test_there_are_tools():
    assert {'train', 'test', 'extract_features', 'fuse_scores', 'attention'} <= {
        path.stem for path in SCRIPTS
    }


def test_names_are_unique():
    """``mim run mmattn NAME`` finds a tool by its name."""
    names = [path.name for path in SCRIPTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize('flag', ['--help', '-h'])
@pytest.mark.parametrize(
    'script', SCRIPTS, ids=lambda path: str(path.relative_to(TOOLS))
)
def test_help(script, flag, run_tool, capsys):
    text = show_help(script, flag, run_tool, capsys)
    assert 'usage: ' in text
    assert re.search(r'--?\w+', text)
    if script.name != 'demo.py':  # its own example: `make demo`
        name = re.escape(script.relative_to(TOOLS).as_posix())
        assert re.search(rf'^examples?:\n(.*\n)*  python tools/{name}\b', text, re.M)


@pytest.mark.parametrize(
    'script', SCRIPTS, ids=lambda path: str(path.relative_to(TOOLS))
)
def test_defaults_are_shown_and_errors_are_refusals(script):
    """All tools are made and run by the functions that see to both."""
    source = script.read_text(encoding='utf-8')
    assert 'run_tool(' in source
    assert 'ArgumentParser(' not in source


def test_a_default_is_shown(run_tool, capsys):
    script = TOOLS / 'analysis' / 'mean_over_splits.py'
    text = show_help(script, '--help', run_tool, capsys)
    assert re.search(r'--work-dirs WORK_DIRS\n.*\(default: work_dirs\)', text)


@pytest.mark.parametrize('name', ['train.py', 'test.py'])
def test_host_and_our_options_are_shown(name, run_tool, capsys):
    text = show_help(TOOLS / name, '--help', run_tool, capsys)
    for option in ('--bf16', '--split', '--work-dir', '--cfg-options', '--launcher'):
        assert option in text
    specific = {'train.py': ['--resume', '--seed', '--amp'], 'test.py': ['--dump']}
    assert all(option in text for option in specific[name])
    # mim passes --gpus on to scripts whose help names it; the host's take none.
    assert '--gpus' not in text


def test_help_in_a_process_of_its_own():
    result = subprocess.run(
        [sys.executable, TOOLS / 'train.py', '-h'], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert '--bf16' in result.stdout


@pytest.mark.parametrize(
    'name, args, message',
    [
        ('analysis/fuse_scores.py', ['none.pkl'], 'none.pkl: expected a pickle'),
        ('convert/join_checkpoints.py', ['o.pth', 'x.pth'], 'expected PREFIX=FILE'),
        ('data/synthetic/make_videos.py', ['o', '--size', '1'], '--size'),
        (
            'visualization/attention.py',
            ['a.py', 'a.pth', 'v.mp4', '--out', 'o', '--alpha', '2'],
            'alpha: expected 0 to 1',
        ),
        ('data/extract_features.py', ['a.py'], 'required: checkpoint, out'),
    ],
)
def test_bad_arguments_exit_with_2(name, args, message, run_tool, capsys):
    assert run_tool(name, *args) == 2
    assert message in capsys.readouterr().err
