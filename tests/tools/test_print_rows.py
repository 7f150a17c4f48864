"""tools/paper_rows.py."""

import json
import re
import shutil

import pytest

from mmattn.reports import row_tables, rows
from mmattn.reports.rows import load_rows
from mmattn.utils import configs as own_configs
from mmattn.utils.configs import configs_root

TOOL = 'paper_rows.py'
FOLDER = configs_root() / 'recognition' / 'temporal_lstm'
CONFIG = 'temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-rgb.py'
ROW_FILE = f"""
key: temporal_lstm
paper: p
metric: top-1, split 1
rows:
  - {{table: '1', row: r, dataset: d, figure: 50, configs: [{CONFIG}]}}
"""


def own_rows(monkeypatch, folder, text=ROW_FILE, configs=(CONFIG,)):
    """Let the tool see a copy of our configs with one row file."""
    root = folder / 'configs'
    shutil.copytree(configs_root() / '_base_', root / '_base_')
    target = root / 'recognition' / 'temporal_lstm'
    target.mkdir(parents=True)
    for config in configs:
        shutil.copy(FOLDER / config, target)
    (target / 'rows.yml').write_text(text)
    for module in (rows, row_tables, own_configs):
        monkeypatch.setattr(module, 'configs_root', lambda: root)
    return target


def test_json_is_a_list_of_rows(run_tool, capsys):
    assert run_tool(TOOL, '--format', 'json') == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row['row'] for row in listed] == [row.row for row in load_rows()]
    keys = {'id', 'key', 'paper', 'table', 'row', 'dataset', 'metric', 'figure', 'ours'}
    keys |= {'configs', 'options', 'weights', 'prepare', 'features', 'commands', 'note'}
    keys.add('stream_options')
    for row in listed:
        assert row.keys() == keys
        assert len(row['commands']) >= 2 * len(row['configs'])


def test_key_and_text(run_tool, capsys):
    assert run_tool(TOOL, '--key', 'temporal_lstm') == 0
    text = capsys.readouterr().out
    assert 'two-stream attention, UCF101 (top-1, mean over the 3 splits): ' in text
    assert 'paper 93.3, ours not run' in text
    title = 'Improving Human Action Recognition by Temporal Attention (ICIP 2017)'
    assert text.splitlines()[0] == f'# {title}'
    assert text.count('# ') == 1
    assert '    mim run mmattn fuse_scores ' in text
    assert run_tool(TOOL, '--key', 'none') == 0
    assert capsys.readouterr().out == ''


def test_markdown(run_tool, capsys):
    assert run_tool(TOOL, '--format', 'markdown') == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(load_rows())


def test_check_runs_the_rows_of_a_key(monkeypatch, run_tool, tmp_path, capsys):
    own_rows(monkeypatch, tmp_path)
    assert run_tool(TOOL, '--check', '--key', 'temporal_lstm') == 0
    assert '1 rows, 1 distinct runs, 0 failed' in capsys.readouterr().out


def test_check_names_the_row_that_fails(monkeypatch, run_tool, tmp_path, capsys):
    text = ROW_FILE.replace('}\n', ', options: [model.cls_head.nonsense=1]}\n')
    own_rows(monkeypatch, tmp_path, text)
    assert run_tool(TOOL, '--check') == 1
    captured = capsys.readouterr()
    assert '1 rows, 1 distinct runs, 1 failed' in captured.out
    assert f'failed: {CONFIG} model.cls_head.nonsense=1' in captured.err
    assert 'nonsense' in captured.err


def test_readmes_are_written_once(monkeypatch, run_tool, tmp_path):
    folder = own_rows(monkeypatch, tmp_path)
    readme = folder / 'README.md'
    readme.write_text('# Title\n<!-- rows: begin -->\n<!-- rows: end -->\n')
    (tmp_path / 'docs').mkdir()
    assert run_tool(TOOL, '--write-pages') == 0
    first = readme.read_text()
    assert f'[{CONFIG}]({CONFIG})' in first
    assert run_tool(TOOL, '--write-pages') == 0
    assert readme.read_text() == first

    page = tmp_path / 'docs' / 'paper_rows.md'
    assert '--run temporal_lstm-1-r-d`' in page.read_text()


@pytest.mark.parametrize(
    'args, message',
    [
        (['--gpus', '0'], '--gpus: expected a number above 0, got 0'),
        (['--speed', '-1'], '--speed: expected a number above 0, got -1.0'),
        (['none-such'], "got 'none-such'"),
        (['--record', 'none'], 'none/results.yml: expected the results of a run'),
    ],
)
def test_bad_arguments(args, message, run_tool, capsys):
    assert run_tool(TOOL, *args) == 2
    assert message in capsys.readouterr().err


def test_plan_prints_order_cost_and_figures(monkeypatch, run_tool, tmp_path, capsys):
    own_rows(monkeypatch, tmp_path)
    assert run_tool(TOOL, '--plan', '--gpus', '8', '--out', 'o') == 0
    text = capsys.readouterr().out
    stem = CONFIG.removesuffix('.py')
    first, second = re.findall(r'^# \d/2 (\S+): about \S+ \w$', text, re.M)
    assert (first, second) == (f'train/{stem}_split1', f'test/{stem}_split1')
    assert f'\nmim train mmattn {CONFIG} --launcher pytorch --gpus 8' in text
    assert f'# temporal_lstm-1-r-d: acc/top1 of test/{stem}_split1' in text
    assert '# 1 rows, 1 trainings, 1 tests, 0 fusions' in text
    assert 'counted at 3 tera multiply-adds a second' in text
