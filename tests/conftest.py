"""Shared fixtures."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

import mmattn  # noqa: F401  (repairs the stack before mmaction.models is imported)

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
