"""Every config: its name, and that it builds, trains a step and tests a step."""

import hashlib
import json
import os
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmattn.compat import has_compiled_operators
from mmattn.reports.rows import distinct_runs, load_config, load_rows
from mmattn.testing import shrink, train_and_test
from mmattn.utils.configs import configs_root

ROOT = configs_root()
CONFIGS = sorted(
    path for path in ROOT.rglob('*.py') if '_base_' not in path.relative_to(ROOT).parts
)
NAME = re.compile(
    r'(?P<algorithm>[a-z0-9]+(_[a-z]+)*(-[a-z0-9-]+)?)'
    r'_(?P<backbone>[a-z0-9-]+)'
    r'_(?P<schedule>\d+xb\d+-[a-z0-9-]+-\d+(e|kiter))'
    r'_(?P<data>[a-z0-9-]+-(rgb|flow))'
)


ROWS = distinct_runs(load_rows())


NO_POOL = pytest.mark.skipif(
    has_compiled_operators() and not torch.cuda.is_available(),
    reason="mmcv's compiled RoIPool does not run on CPUs",
)


def needs(path: Path, options: tuple[str, ...] = ()) -> list:
    marks = [pytest.mark.det] if 'detection' in path.parts else []
    return marks + [NO_POOL] * any('RoIPool' in option for option in options)


RUNS = [
    pytest.param(
        *run,
        marks=[pytest.mark.rows, *needs(*run)],
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
    """Files that one reads, one after the other; the runtime is the ground of all."""
    if path.name == 'default_runtime.py':
        return 0
    text = re.search(r'_base_ = (\[.*?\]|\S+)', path.read_text(), re.S)
    bases = re.findall(r"'([^']+\.py)'", text[1]) if text else []
    return 1 + max((depth((path.parent / base).resolve()) for base in bases), default=0)


UNSEEN = (
    'root',
    'train_list',
    'val_list',
    'test_list',
    'auto_scale_lr',
)  # by a tiny run


def is_first(cfg: Config, folder: Path) -> bool:
    """Whether no config that trains alike, shrunk, was met before by any worker."""
    seen = {key: value for key, value in cfg.items() if key not in UNSEEN}
    text = json.dumps(seen, sort_keys=True, default=repr)
    try:
        (folder / hashlib.sha256(text.encode()).hexdigest()).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


@pytest.fixture(scope='session')
def trained(tmp_path_factory) -> Path:
    """Folder that all workers of a run share."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if 'PYTEST_XDIST_WORKER' in os.environ else base
    folder = shared / 'trained'
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize('path, options', RUNS)
def test_trains_and_tests_a_step(path, options, tiny_data, tmp_path, trained):
    """Rows of tables run under their marker; every other config always does.

    Rows of two data sets or schedules may be the same when shrunk: one of them runs.
    """
    cfg = shrink(load_config(path, options), Path('tiny'))
    if not is_first(cfg, trained):
        return
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
            text = repr(Config.fromfile(path).to_dict())
            assert re.search(f'split_?{split}[_/]', text), path
            others = {'1', '2', '3'} - {split}
            assert not any(re.search(f'split_?{o}[_/]', text) for o in others), path


def test_shrink_says_what_it_has_no_rule_for(tiny_data):
    cfg = Config.fromfile(next(path for path in CONFIGS if 'tsn_' in path.name))
    cfg.model.cls_head.type = 'mmattn.NewHead'
    with pytest.raises(ValueError, match=r'model.cls_head.*got mmattn.NewHead'):
        shrink(cfg, tiny_data)
