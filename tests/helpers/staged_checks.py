"""Networks with published weights, and whether they give what was published."""

import torch


def fill(cls, weights, **options):
    """A network that holds ``weights``, without the time to initialize another."""
    with torch.device('meta'):
        net = cls(**options)
    mapped = dict(net.key_map(name, x) for name, x in weights.items())
    kept = {name: mapped[name].clone() for name in net.state_dict() if name in mapped}
    net.load_state_dict(kept, assign=True)
    return net.eval()


def pooled(x):
    return x.flatten(2).mean(dim=2)


def check_features(net, expected, x):
    """Every stage's map in float64, and the pooled features in float32."""
    for name, got in zip(net.out, net.double()(x), strict=True):
        torch.testing.assert_close(got, expected[name], rtol=1e-9, atol=1e-9)
        assert got.std() > 0.05, name
    last = net.out[-1]
    features, wanted = pooled(net.float()(x.float())[-1]), pooled(expected[last])
    error = (features - wanted).norm(dim=1) / wanted.norm(dim=1)
    assert error.max() < 1e-4


def check_loaded(net, weights):
    """The network holds these weights, 2D ones shared among the frames."""
    for name, value in net.state_dict().items():
        if 'num_batches' in name:
            continue
        expected = weights[name]
        if value.dim() > expected.dim():
            frames = value.shape[2]
            expected = (expected / frames)[:, :, None].expand(-1, -1, frames, -1, -1)
        assert torch.equal(value, expected), name


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
