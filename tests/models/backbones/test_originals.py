"""Our backbones against torchvision's and timm's, where these are installed."""

import runpy
from pathlib import Path

import pytest
import torch
from reference.published import seeded_weights
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[3]
ORIGINALS = runpy.run_path(str(ROOT / 'benchmarks' / 'originals.py'))['ORIGINALS']
ODD = (231, 163)


@pytest.fixture(scope='module', params=ORIGINALS)
def pair(request):
    """The original and ours with the same weights."""
    original = ORIGINALS[request.param]
    pytest.importorskip(original.library)
    with torch.device('meta'):
        theirs, ours = original.build(), original.ours()
    shapes = {name: tuple(x.shape) for name, x in theirs.state_dict().items()}
    weights = seeded_weights(shapes)
    theirs.load_state_dict(weights, assign=True)
    ours.load_state_dict(weights, assign=True)
    return theirs.eval(), ours.eval()


@pytest.mark.parametrize('size', [(224, 224), (299, 299), ODD])
def test_same_values(pair, size):
    theirs, ours = pair
    x = torch.randn(1, 3, *size)
    with torch.no_grad():
        expected, got = theirs(x), ours(x)
    assert expected.std() > 0.01
    assert (got.flatten() - expected.flatten()).norm() < 1e-4 * expected.norm()


@pytest.mark.parametrize('name', ORIGINALS)
@pytest.mark.parametrize('size', [(224, 224), (299, 299), ODD])
def test_same_cost(name, size):
    original = ORIGINALS[name]
    pytest.importorskip(original.library)
    costs = []
    for build in (original.ours, original.build):
        with torch.device('meta'), FlopCounterMode(display=False) as counter:
            net = build().eval()
            net(torch.empty(1, 3, *size))
        parameters = sum(p.numel() for p in net.parameters())
        costs.append((parameters, counter.get_total_flops()))
    assert costs[0] == costs[1]
