"""Shared fixtures."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmattn  # noqa: F401  (repairs the stack before mmaction.models is imported)
from mmattn.testing import make_tiny_data, shrink
from mmattn.utils.paper_rows import configs_root

ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = Path(os.environ.get('MMATTN_TEST_DATA', ROOT.parent / 'shared' / 'data'))


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


@pytest.fixture(scope='session')
def tiny_data(tmp_path_factory) -> Path:
    """Folder of tiny videos, flow and features; tests must not change it."""
    return make_tiny_data(tmp_path_factory.mktemp('tiny'))


@pytest.fixture
def shrunk(tiny_data):
    """Function that loads one of our configs by its stem, shrunk."""

    def load(stem: str, data: Path = tiny_data) -> Config:
        return shrink(Config.fromfile(next(configs_root().rglob(f'{stem}.py'))), data)

    return load
