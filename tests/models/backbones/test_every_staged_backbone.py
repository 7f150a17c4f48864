"""What every backbone made of stages has to do, whatever its layers are."""

import copy
import pickle
from typing import NamedTuple

import pytest
import torch
from mmaction.registry import MODELS as HOST_MODELS
from mmengine.registry import init_default_scope
from reference.published import seeded_weights
from torch.nn.modules.batchnorm import _BatchNorm

from mmattn.registry import MODELS


class Case(NamedTuple):
    """A narrow network, and what is known of it.

    ``frozen`` is a number of frozen stages and the first parameter behind them,
    ``weighted`` the number of stages with weights, ``smallest`` the side of the
    smallest frames up to a stage, ``inner`` that of the smallest map from a stage on.
    """

    options: dict
    shape: tuple[int, ...]
    short: str
    frozen: tuple[int, str]
    weighted: int
    smallest: dict[str, int] = {}
    inner: tuple[str, int] | None = None


VGG = Case(
    dict(depth=16, batch_norm=True, base_channels=3, fc_channels=11, out='fc7'),
    (2, 3, 40, 64),
    'conv3',
    (2, 'features.14.weight'),
    7,
    {'fc7': 32, 'pool3': 8},
    ('conv4', 4),
)
CASES = {
    'BNInception': Case(
        dict(base_channels=8),
        (2, 3, 64, 35),
        'inception_3c',
        (3, 'inception_3b.1x1.conv.weight'),
        12,
        {'inception_5b': 7, 'conv2': 3},
        ('pool1', 4),
    ),
    'InceptionV3': Case(
        dict(base_channels=4),
        (2, 3, 107, 91),
        'mixed_5b',
        (3, 'Conv2d_3b_1x1.conv.weight'),
        16,
        {'mixed_7c': 75, 'mixed_6e': 43, 'mixed_5d': 27},
        ('mixed_6a', 7),
    ),
    'InceptionResNetV2': Case(
        dict(base_channels=4),
        (2, 3, 107, 91),
        'mixed_5b',
        (3, 'conv2d_3b.conv.weight'),
        13,
        {'conv2d_7b': 75, 'repeat_1': 43, 'repeat': 27},
        ('conv2d_4a', 17),
    ),
    'EfficientNetLite0': Case(
        dict(base_channels=8),
        (2, 3, 32, 24),
        'stage3',
        (2, 'blocks.1._expand_conv.weight'),
        9,
    ),
    'InceptionI3D': Case(
        dict(base_channels=8),
        (2, 3, 9, 34, 40),
        'Mixed_3b',
        (1, 'Conv3d_2b_1x1.conv3d.weight'),
        12,
    ),
    'ResNeXt3D': Case(
        dict(depth=50, cardinality=4, base_channels=6),
        (2, 3, 16, 34, 40),
        'layer1',
        (1, 'layer1.0.conv1.weight'),
        5,
    ),
    'VGG': VGG,
    'VGG without normalization': VGG._replace(
        options=VGG.options | dict(batch_norm=False, fc_relu=False)
    ),
}
every_backbone = pytest.mark.parametrize('name', CASES)
normalized = pytest.mark.parametrize('name', [n for n in CASES if 'without' not in n])


def build(name, **options):
    if name == 'EfficientNetLite0':
        pytest.importorskip('efficientnet_lite_pytorch')
    return MODELS.get(name.split()[0])(**CASES[name].options | options)


def make(name, **options):
    """A network with random weights and statistics, in eval mode."""
    net = build(name, **options).eval()
    shapes = {key: tuple(x.shape) for key, x in net.state_dict().items()}
    net.load_state_dict(seeded_weights(shapes))
    return net


def short(name, **options):
    return make(name, out=CASES[name].short, **options).train()


def frames(name):
    return torch.randn(CASES[name].shape)


def norms(net):
    return [m for m in net.modules() if isinstance(m, _BatchNorm)]


@every_backbone
def test_stages_compose(name):
    net, x = make(name), frames(name)
    kept, whole = x.clone(), net(x)
    for stage in net.stage_names:
        middle = net.forward_stages(x, stop=stage)
        torch.testing.assert_close(net.forward_stages(middle, start=stage), whole)
        assert torch.equal(x, kept)
    assert torch.equal(net.forward_stages(x, stage, stage), x)


@every_backbone
def test_outputs_are_not_overwritten(name):
    stages = make(name).stage_names
    net, x = make(name, out=stages), frames(name)
    for stop, got in zip((*stages[1:], None), net(x), strict=True):
        assert torch.equal(net.forward_stages(x, stop=stop), got), stop


@every_backbone
def test_only_what_is_needed_is_built(name):
    net = short(name)
    assert net.stage_names[-1] == CASES[name].short
    built = {f'{path}.' for stage in net._paths.values() for path in stage}
    assert all(key.startswith(tuple(built)) for key in net.state_dict())


@every_backbone
def test_gradients_and_recomputing(name):
    """With the running statistics, which the recomputation must not move."""
    net, x = make(name), frames(name)
    grads = []
    for net.with_cp in (False, True):
        net.zero_grad()
        net(x).square().mean().backward()
        grads.append({key: p.grad.clone() for key, p in net.named_parameters()})
    for key, plain in grads[0].items():
        assert plain.abs().max() > 0, key
        torch.testing.assert_close(grads[1][key], plain, rtol=1e-5, atol=1e-7)


@every_backbone
def test_copies(name):
    net, x = make(name), frames(name)
    expected = net(x)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(other(x), expected)


@every_backbone
def test_one_graph(name):
    net, x = short(name).eval(), frames(name)
    torch._dynamo.reset()
    compiled = torch.compile(net, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x), net(x))


@every_backbone
def test_bf16(name):
    net, x = make(name), frames(name)
    with torch.autocast('cpu', torch.bfloat16):
        y = net(x)
    assert y.dtype == torch.bfloat16
    assert y.isfinite().all()
    wanted = net(x)
    assert (y - wanted).norm() < 0.1 * wanted.norm()


@normalized
def test_frozen_stages(name):
    count, first_free = CASES[name].frozen
    net = short(name, frozen_stages=count)
    names = list(dict(net.named_parameters()))
    free = [key for key, p in net.named_parameters() if p.requires_grad]
    assert free == names[names.index(first_free) :]
    before = [norm.running_mean.clone() for norm in norms(net)]
    net(frames(name))
    kept = [
        torch.equal(norm.running_mean, old)
        for norm, old in zip(norms(net), before, strict=True)
    ]
    assert kept == [not norm.weight.requires_grad for norm in norms(net)]
    assert set(kept) == {True, False}


@every_backbone
def test_all_is_frozen(name):
    for count in ('all', CASES[name].weighted):
        net = build(name, frozen_stages=count).train()
        assert not any(p.requires_grad for p in net.parameters())
        assert not any(norm.training for norm in norms(net))


@normalized
def test_partial_bn(name):
    """All normalizations but the first stay; as in temporal segment networks."""
    net = short(name, partial_bn=True)
    first, *others = norms(net)
    assert first.training
    assert first.weight.requires_grad
    assert first.bias.requires_grad
    assert len(others) > 3
    assert not any(norm.training for norm in others)
    assert not any(p.requires_grad for norm in others for p in norm.parameters())
    before = [norm.running_var.clone() for norm in (first, *others)]
    net(frames(name))
    moved = [
        not torch.equal(norm.running_var, old)
        for norm, old in zip((first, *others), before, strict=True)
    ]
    assert moved == [True] + [False] * len(others)
    trained = {key for key, p in net.named_parameters() if p.requires_grad}
    assert {key for key, p in net.named_parameters() if p.dim() > 1} <= trained


@normalized
def test_norm_eval(name):
    net = short(name, norm_eval=True)
    assert not any(norm.training for norm in norms(net))
    assert all(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize('name', [name for name in CASES if 'VGG' not in name])
def test_widths(name):
    """All widths keep their ratio to the first, and so do those inside, rounded."""
    stages = MODELS.get(name).stages
    published, step = tuple(stages.values()), MODELS.get(name).base_step
    options = dict(out=tuple(stages), base_channels=published[0])
    options |= dict(cardinality=2) if name == 'ResNeXt3D' else {}
    with torch.device('meta'):
        wide = build(name, **options)
        for base in (step, 4 * step):
            net = build(name, **options | dict(base_channels=base)).eval()
            expected = [width * base for width in published]
            maps = net(torch.empty(CASES[name].shape))
            assert [x.shape[1] * published[0] for x in maps] == expected
            for narrow, full in zip(net.parameters(), wide.parameters(), strict=True):
                assert len(narrow) == len(full) * base // published[0]
    message = f'base_channels: expected a positive multiple of {step}, got'
    for base in (0, -step, *({step + 1} if step > 1 else ())):
        with pytest.raises(ValueError, match=message):
            build(name, **options | dict(base_channels=base))


@pytest.mark.parametrize(
    'name, out, smallest',
    [
        (name, out, side)
        for name, case in CASES.items()
        for out, side in case.smallest.items()
    ],
)
def test_smallest_frames(name, out, smallest):
    """The smallest frames pass, one pixel less is refused with the number."""
    with torch.device('meta'):
        net = build(name, out=out).eval()
        assert min(net(torch.empty(1, 3, smallest, smallest + 2)).shape) == 1
        with pytest.raises(ValueError, match=f'frames: expected at least {smallest} x'):
            net(torch.empty(1, 3, smallest + 2, smallest - 1))


@pytest.mark.parametrize(
    'name, stage, side', [(n, *case.inner) for n, case in CASES.items() if case.inner]
)
def test_smallest_maps_of_a_stage(name, stage, side):
    message = f'input of {stage}: expected at least {side} x {side} pixels, got'
    with pytest.raises(ValueError, match=message):
        build(name).forward_stages(torch.ones(1, 1, side - 1, side + 2), start=stage)


@every_backbone
def test_unknown_stages(name):
    with pytest.raises(ValueError, match=r"out: expected names among .*, got 'stem9'"):
        build(name, out='stem9')
    with pytest.raises(ValueError, match=r'out: expected names among .*, got \(\)'):
        build(name, out=())
    count = CASES[name].weighted
    for wrong in (count + 1, 'stem9'):
        message = f"frozen_stages: expected 'all' or -1 to {count}, .* got {wrong!r}"
        with pytest.raises(ValueError, match=message):
            build(name, frozen_stages=wrong)
    for end in ('start', 'stop'):
        with pytest.raises(ValueError, match=f"{end}: expected one of .*, got 'stem9'"):
            build(name).forward_stages(frames(name), **{end: 'stem9'})


@pytest.mark.parametrize(
    'scope', ['mmaction', pytest.param('mmdet', marks=pytest.mark.det)]
)
@every_backbone
def test_builds_by_name_and_its_weights_load(name, scope):
    if scope == 'mmdet':
        pytest.importorskip('mmdet')
    init_default_scope(scope)
    net = short(name).eval()
    case, x = CASES[name], frames(name)
    config = {**case.options, 'type': f'mmattn.{name.split()[0]}', 'out': case.short}
    other = HOST_MODELS.build(config).eval()
    other.init_weights()
    assert not torch.allclose(net(x), other(x))
    other.load_state_dict(net.state_dict())
    assert torch.equal(net(x), other(x))
