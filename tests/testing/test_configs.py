"""Every config: its name, and that it builds, trains a step and tests a step."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mmattn.testing import shrink, train_and_test
from mmattn.utils.paper_rows import (
    configs_root,
    distinct_runs,
    load_config,
    load_rows,
)

ROOT = configs_root()
CONFIGS = sorted(
    path for path in ROOT.rglob('*.py') if '_base_' not in path.relative_to(ROOT).parts
)
NAME = re.compile(
    r'(?P<algorithm>(stbta|pyramid|temporal_lstm|convlstm|slowfast_attn|tsn|i3d|resnext3d)'
    r'(-[a-z0-9-]+)?)'
    r'_(?P<backbone>[a-z0-9-]+)'
    r'_(?P<schedule>\d+xb\d+-[a-z0-9-]+-\d+(e|kiter))'
    r'_(?P<data>[a-z0-9-]+-(rgb|flow))'
)


ROWS = distinct_runs(load_rows())


def needs(path: Path) -> list:
    return [pytest.mark.det] if 'detection' in path.parts else []


RUNS = [
    pytest.param(
        *run,
        marks=[pytest.mark.rows, *needs(run[0])],
        id='-'.join([run[0].stem, *run[1]]),
    )
    for run in ROWS
]
RUNS += [
    pytest.param(path, (), id=path.stem, marks=needs(path))
    for path in CONFIGS
    if (path, ()) not in ROWS
]


def test_there_are_configs():
    assert len(CONFIGS) >= 16


def test_basenames_are_unique():
    names = [path.name for path in CONFIGS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_name_first_line_and_depth(path):
    assert NAME.fullmatch(path.stem), 'expected algorithm_backbone_schedule_data'
    assert path.read_text().startswith('# ')
    assert path.stem.startswith(path.parent.name)
    assert depth(path) <= 3


def depth(path: Path) -> int:
    text = re.search(r'_base_ = (\[.*?\]|\S+)', path.read_text(), re.S)
    bases = re.findall(r"'([^']+\.py)'", text[1]) if text else []
    return 1 + max((depth((path.parent / base).resolve()) for base in bases), default=0)


@pytest.mark.parametrize('path, options', RUNS)
def test_trains_and_tests_a_step(path, options, tiny_data, tmp_path):
    """Rows of tables run under their marker; every other config always does."""
    cfg = shrink(load_config(path, options), tiny_data)
    result = train_and_test(cfg, tmp_path)
    assert 0 < result.pop('loss') < 100
    accuracies = [
        value
        for key, value in result.items()
        if key.startswith(('acc/', 'mAP/overall', 'charades/'))
    ]
    assert accuracies
    assert all(0 <= value <= 1 for value in accuracies)


@pytest.mark.parametrize('split', ['1', '2', '3'])
def test_one_option_chooses_the_split(split, monkeypatch):
    monkeypatch.setenv('MMATTN_SPLIT', split)
    for path in CONFIGS:
        if 'split1' in path.stem:
            text = Config.fromfile(path).pretty_text
            assert re.search(f'split_?{split}[_/]', text), path
            others = {'1', '2', '3'} - {split}
            assert not any(re.search(f'split_?{o}[_/]', text) for o in others), path


def test_shrink_says_what_it_has_no_rule_for(tiny_data):
    cfg = Config.fromfile(next(path for path in CONFIGS if 'tsn_' in path.name))
    cfg.model.cls_head.type = 'mmattn.NewHead'
    with pytest.raises(ValueError, match=r'model.cls_head.*got mmattn.NewHead'):
        shrink(cfg, tiny_data)
