"""Shared fixtures."""

import gc
import os
import random
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from quick import keep_quick, pytest_addoption, pytest_configure  # noqa: F401  (hooks)

import mmattn  # noqa: F401  (repairs the stack before mmaction.models is imported)
from mmattn.reports.claims import load_claims, value_tests
from mmattn.testing import make_tiny_data, shrink
from mmattn.utils.configs import configs_root

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = Path(os.environ.get('MMATTN_TEST_DATA', ROOT.parent / 'shared' / 'data'))


def pytest_collection_modifyitems(config, items):
    """Let ``pytest -k pyramid_eq_4`` find the tests of an equation's values."""
    keep_quick(config, items)
    names = value_tests(load_claims())
    for item in items:
        path = item.path.relative_to(ROOT) if ROOT in item.path.parents else item.path
        function = getattr(item, 'originalname', item.name)
        item.extra_keyword_matches.update(names.get((path.as_posix(), function), ()))


def pytest_collection_finish():
    """MMEngine collects garbage for each data set: not among what is imported."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _scope_and_seed():
    init_default_scope('mmaction')
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def real_data() -> Path:
    """Folder of real clips and official annotations; skips where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(
            f'no real clips at {REAL_DATA}; set MMATTN_TEST_DATA to their folder'
        )
    return REAL_DATA


@pytest.fixture
def two_streams() -> dict:
    """Config of a model of two streams of stored features."""
    stream = dict(
        type='mmattn.FrameRecognizer',
        backbone=dict(type='mmattn.StoredFeatures'),
        cls_head=dict(
            type='mmattn.TemporalLSTMHead', num_classes=3, in_channels=4, num_segments=2
        ),
    )
    return dict(type='mmattn.TwoStreamRecognizer', rgb=stream, flow=stream)


@pytest.fixture(scope='session')
def shared_cases() -> Path:
    """Folder of small inputs that once failed; skips where it is absent."""
    folder = REAL_DATA.parent / 'cases'
    if not folder.is_dir():
        pytest.skip(f'no cases at {folder}; set MMATTN_TEST_DATA to a folder beside it')
    return folder


@pytest.fixture(scope='session')
def tiny_data(tmp_path_factory) -> Path:
    """Folder of tiny videos, flow and features; tests must not change it."""
    return make_tiny_data(tmp_path_factory.mktemp('tiny'))


@pytest.fixture(scope='session')
def films_folder(tmp_path_factory) -> Path:
    """Folder of numbered videos, which the tests that need one write once."""
    return tmp_path_factory.mktemp('films')


@pytest.fixture
def shrunk(tiny_data):
    """Function that loads one of our configs by its stem, shrunk."""

    def load(stem: str, data: Path = tiny_data) -> Config:
        return shrink(Config.fromfile(next(configs_root().rglob(f'{stem}.py'))), data)

    return load


@pytest.fixture
def run_tool(monkeypatch):
    """Function that runs a file of tools/ inside this process; gives its exit code."""

    def run(tool: str, *args) -> int:
        path = str(ROOT / 'tools' / tool)
        monkeypatch.setattr(sys, 'argv', [path, *map(str, args)])
        try:
            runpy.run_path(path, run_name='__main__')
        except SystemExit as end:
            return end.code or 0
        return 0

    return run
