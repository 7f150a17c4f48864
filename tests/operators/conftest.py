"""The operators of mmattn behind ``mmcv.ops``, whichever mmcv is installed."""

import importlib.util
import sys
from types import SimpleNamespace

import pytest

from mmattn import operators
from mmattn.operators import regions, suppression
from mmattn.operators.torchvision import torchvision_operators

NO_TORCHVISION = importlib.util.find_spec('torchvision') is None


def install(monkeypatch, module: object) -> None:
    """Let ``mmcv.ops`` call the operators of a module."""
    import mmcv.ops  # noqa: F401

    for name in ('nms', 'roi_align', 'roi_pool'):
        monkeypatch.setattr(sys.modules[f'mmcv.ops.{name}'], 'ext_module', module)


@pytest.fixture
def plain(monkeypatch) -> None:
    """Our operators, without torchvision."""
    for module in (suppression, regions):
        monkeypatch.setattr(module, 'torchvision_operators', lambda: None)
    functions = {name: getattr(operators, name) for name in operators.__all__}
    install(monkeypatch, SimpleNamespace(**functions))


@pytest.fixture
def with_torchvision(monkeypatch) -> None:
    """Our operators, by torchvision's where it has them."""
    if torchvision_operators() is None:
        pytest.skip('the installed torchvision does not fit this torch')
    functions = {name: getattr(operators, name) for name in operators.__all__}
    install(monkeypatch, SimpleNamespace(**functions))


@pytest.fixture(
    params=[
        'plain',
        pytest.param(
            'with_torchvision',
            marks=pytest.mark.skipif(NO_TORCHVISION, reason='torchvision is optional'),
        ),
    ]
)
def ours(request) -> str:
    """Our operators, in both ways."""
    request.getfixturevalue(request.param)
    return request.param
