"""What every backbone made of stages has to do, whatever its layers are."""

import copy
import pickle

import pytest
import torch
from mmaction.registry import MODELS as HOST_MODELS
from mmengine.registry import init_default_scope
from torch.nn.modules.batchnorm import _BatchNorm


def norms(net):
    return [m for m in net.modules() if isinstance(m, _BatchNorm)]


def fill(cls, weights, **options):
    """A network that holds ``weights``, without the time to initialize another."""
    with torch.device('meta'):
        net = cls(**options)
    mapped = dict(net.key_map(name, x) for name, x in weights.items())
    kept = {name: mapped[name].clone() for name in net.state_dict() if name in mapped}
    net.load_state_dict(kept, assign=True)
    return net.eval()


def pooled(x):
    return x.mean(dim=(2, 3))


def check_features(net, expected, x):
    """Every stage's map in float64, and the pooled features in float32."""
    for name, got in zip(net.out, net.double()(x), strict=True):
        torch.testing.assert_close(got, expected[name], rtol=1e-9, atol=1e-9)
        assert got.std() > 0.05, name
    last = net.out[-1]
    features, wanted = pooled(net.float()(x.float())[-1]), pooled(expected[last])
    error = (features - wanted).norm(dim=1) / wanted.norm(dim=1)
    assert error.max() < 1e-4


def check_stages_compose(net, x, stages):
    kept, whole = x.clone(), net(x)
    for stage in stages:
        middle = net.forward_stages(x, stop=stage)
        torch.testing.assert_close(net.forward_stages(middle, start=stage), whole)
        assert torch.equal(x, kept)
    assert torch.equal(net.forward_stages(x, stages[0], stages[0]), x)


def check_outputs_are_not_overwritten(net, x):
    assert net.out == net.stage_names
    stops = (*net.stage_names[1:], None)
    for stop, got in zip(stops, net(x), strict=True):
        assert torch.equal(net.forward_stages(x, stop=stop), got), stop


def check_gradients_and_recomputing(net, x):
    """With the running statistics, which the recomputation must not move."""
    grads = []
    for net.with_cp in (False, True):
        net.zero_grad()
        net(x).square().mean().backward()
        grads.append({name: p.grad.clone() for name, p in net.named_parameters()})
    for name, plain in grads[0].items():
        assert plain.abs().max() > 0, name
        torch.testing.assert_close(grads[1][name], plain, rtol=1e-5, atol=1e-7)


def check_freezing(net, first_free, x):
    """``net`` is frozen up to, but not including, the parameter ``first_free``."""
    names = list(dict(net.named_parameters()))
    free = [name for name, p in net.named_parameters() if p.requires_grad]
    assert free == names[names.index(first_free) :]
    before = [norm.running_mean.clone() for norm in norms(net.train())]
    net(x)
    kept = [
        torch.equal(norm.running_mean, old)
        for norm, old in zip(norms(net), before, strict=True)
    ]
    assert kept == [not norm.weight.requires_grad for norm in norms(net)]
    assert kept[0]
    assert not kept[-1]


def check_partial_bn(net, x):
    """All normalizations but the first stay; as in temporal segment networks."""
    first, *others = norms(net.train())
    assert first.training
    assert first.weight.requires_grad
    assert first.bias.requires_grad
    assert len(others) > 3
    assert not any(norm.training for norm in others)
    assert not any(p.requires_grad for norm in others for p in norm.parameters())
    before = [norm.running_var.clone() for norm in (first, *others)]
    net(x)
    moved = [
        not torch.equal(norm.running_var, old)
        for norm, old in zip((first, *others), before, strict=True)
    ]
    assert moved == [True] + [False] * len(others)
    trained = {name for name, p in net.named_parameters() if p.requires_grad}
    assert {name for name, p in net.named_parameters() if p.dim() > 1} <= trained


def check_norm_eval(net):
    assert not any(norm.training for norm in norms(net.train()))
    assert all(p.requires_grad for p in net.parameters())


def check_copies(net, x):
    expected = net(x)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(other(x), expected)


def check_one_graph(net, x):
    torch._dynamo.reset()
    compiled = torch.compile(net, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x), net(x))


def check_bf16(net, x):
    with torch.autocast('cpu', torch.bfloat16):
        y = net(x)
    assert y.dtype == torch.bfloat16
    assert y.isfinite().all()
    wanted = net(x)
    assert (y - wanted).norm() < 0.1 * wanted.norm()


def save(tmp_path, content):
    """The init_cfg that reads ``content`` from a file."""
    path = tmp_path / 'published.pth'
    torch.save(content, path)
    return {'type': 'Pretrained', 'checkpoint': str(path)}


def check_flow_initialization(tmp_path, cls, weights, *, channels=10, **options):
    """The first convolution is the mean of RGB, whatever is initialized later."""
    net = cls(in_channels=channels, init_cfg=save(tmp_path, weights), **options)
    net.init_weights()
    flow = net.state_dict()[net.first_conv]
    (name,) = (k for k in weights if net.key_map(k, weights[k])[0] == net.first_conv)
    assert flow.shape[1] == channels
    for k in range(channels):
        torch.testing.assert_close(flow[:, k], weights[name].sum(dim=1) / 3)
    return net


def check_widths(cls, shape, **options):
    """All widths keep their ratio to the first, and so do those inside, rounded."""
    published = tuple(cls.stages.values())
    options |= {'out': tuple(cls.stages)}
    with torch.device('meta'):
        wide = cls(**options)
        for base in (cls.base_step, 4 * cls.base_step):
            net = cls(**options, base_channels=base).eval()
            maps = net(torch.empty(shape))
            expected = [width * base for width in published]
            assert [x.shape[1] * published[0] for x in maps] == expected
            for narrow, full in zip(net.parameters(), wide.parameters(), strict=True):
                assert len(narrow) == len(full) * base // published[0]
    message = f'base_channels: expected a positive multiple of {cls.base_step}, got'
    for base in (
        0,
        -cls.base_step,
        *({cls.base_step + 1} if cls.base_step > 1 else ()),
    ):
        with pytest.raises(ValueError, match=message):
            cls(**options, base_channels=base)


def check_builds_by_name(config, x, scope='mmaction'):
    if scope == 'mmdet':
        pytest.importorskip('mmdet')
    init_default_scope(scope)
    net, other = HOST_MODELS.build(config).eval(), HOST_MODELS.build(config).eval()
    net.init_weights()
    other.load_state_dict(net.state_dict())
    assert torch.equal(net(x), other(x))


def check_sizes(cls, smallest, **options):
    """The smallest frames pass, one pixel less is refused with the number."""
    with torch.device('meta'):
        net = cls(**options).eval()
        assert min(net(torch.empty(1, 3, smallest, smallest + 2)).shape) == 1
        with pytest.raises(ValueError, match=f'frames: expected at least {smallest} x'):
            net(torch.empty(1, 3, smallest + 2, smallest - 1))
