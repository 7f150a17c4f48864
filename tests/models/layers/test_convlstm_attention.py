"""AttentionConvLSTM and its ConvLSTMCell: values, limits, symmetries, options."""

from typing import get_args

import numpy as np
import pytest
import torch
from reference.convlstm import paper_weights, run
from torch import nn

from mmattn.models.layers import AttentionConvLSTM, ConvLSTMCell
from mmattn.models.layers import convlstm as conv_lstm
from mmattn.models.layers.convlstm_attention import Reading

READINGS = get_args(Reading)
S, T, C, H, SIZE = 2, 3, 11, 5, (7, 4)
CLOSE = {'rtol': 1e-9, 'atol': 1e-9}


def make(in_channels=C, dtype=torch.float64, **options):
    options = {'feature_size': SIZE, **options}
    layer = AttentionConvLSTM(in_channels, H, **options).to(dtype).eval()
    if layer.cell.peepholes is not None:
        nn.init.normal_(layer.cell.peepholes)
    for weight in layer.attention.parameters():
        nn.init.normal_(weight)  # far from uniform attention
    return layer


def frames(channels=C, steps=T, size=SIZE):
    return torch.randn(S, steps, channels, *size, dtype=torch.float64)


def test_maps_are_those_of_vgg16_by_default():
    """7 x 7 positions of a frame of 224 x 224, as section 2 of the report has them."""
    layer = AttentionConvLSTM(C, H, attention='gap_dense').double()
    assert layer.state_size == (7, 7)
    assert layer(frames(size=(7, 7)))[0].shape == (S, T, H, 7, 7)
    with pytest.raises(ValueError, match='7'):
        layer(frames(size=(7, 14)))


def expected(layer, x, **options):
    weights = paper_weights(layer)
    pairs = [run(weights, sequence.numpy(), **options) for sequence in x]
    states, maps = (
        np.stack([np.stack(part) for part in parts])
        for parts in zip(*pairs, strict=True)
    )
    return torch.tensor(states), torch.tensor(maps)


@pytest.mark.parametrize('state', ['carried', 'attention_only'])
@pytest.mark.parametrize('reading', READINGS)
def test_values(reading, state):
    layer, x = make(attention=reading, state=state), frames()
    states, maps = expected(layer, x, reading=reading, state=state)
    got_states, got_maps = layer(x)
    torch.testing.assert_close(got_states, states, **CLOSE)
    torch.testing.assert_close(got_maps, maps, **CLOSE)


@pytest.mark.parametrize('reading', ['videolstm', 'gap_dense', 'channel', 'none'])
@pytest.mark.parametrize('state', ['carried', 'attention_only'])
def test_values_of_the_plain_lstm(reading, state):
    layer, x = make(attention=reading, state=state, cell='lstm'), frames()
    options = dict(reading=reading, state=state, cell='lstm')
    states, maps = expected(layer, x, **options)
    got_states, got_maps = layer(x)
    assert got_states.shape == (S, T, H, 1, 1)
    torch.testing.assert_close(got_states, states, **CLOSE)
    torch.testing.assert_close(got_maps, maps, **CLOSE)


@pytest.mark.parametrize(
    'options',
    [
        {'peepholes': True},
        {'peepholes': True, 'cell': 'lstm'},
        {'kernel_size': 1},
        {'kernel_size': 5},
        {'attention_kernel': 3},
        {'attention_kernel': 3, 'cell': 'lstm'},
        {'attention_channels': 13},
    ],
    ids=str,
)
def test_values_of_options(options):
    layer, x = make(**options), frames()
    states, maps = expected(layer, x, cell=options.get('cell', 'convlstm'))
    got_states, got_maps = layer(x)
    torch.testing.assert_close(got_states, states, **CLOSE)
    torch.testing.assert_close(got_maps, maps, **CLOSE)


def test_float32_is_close():
    layer, x = make(dtype=torch.float32), frames()
    states, maps = expected(layer, x.float().double())
    got_states, got_maps = layer(x.float())
    torch.testing.assert_close(got_states.double(), states, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(got_maps.double(), maps, rtol=1e-4, atol=1e-5)


def test_defaults_are_those_of_the_reading():
    """16 channels: more than ten classes, and parameters of the report's order."""
    layer = AttentionConvLSTM(512)
    assert layer.hidden_channels == 16
    assert layer.carried
    assert not layer.pooled
    assert layer.cell.peepholes is None
    assert count(layer.cell) == 4 * 16 * (9 * (512 + 16) + 1) == 304_192
    assert count(layer.attention) == 16 * 512 + 16 + 16 * 16 + 16
    sizes = {5: 93_080, 8: 149_792}  # what the README says of other widths
    for channels, size in sizes.items():
        assert count(AttentionConvLSTM(512, channels).cell) == size
    for T in (1, 5):
        assert layer(torch.zeros(1, T, 512, 2, 2))[0].shape[1] == T


@pytest.mark.parametrize('cell', ['convlstm', 'lstm'])
@pytest.mark.parametrize('reading', ['videolstm', 'gap_dense', 'channel', 'none'])
def test_first_weights_undo_uniform_attention(reading, cell):
    """The gates see as much of the frames as without attention, or of their mean."""
    layer = AttentionConvLSTM(C, H, attention=reading, cell=cell, feature_size=SIZE)
    fan_in = C * (9 if cell == 'convlstm' else 1)
    pixels = SIZE[0] * SIZE[1]
    share = 1 / C if reading == 'channel' else 1 / pixels  # uniform weights
    if cell == 'lstm':
        share *= pixels  # the sum over the pixels
    largest = layer.cell.input_conv.weight.abs().max().item() * share
    assert 0.9 * fan_in**-0.5 < largest <= 1.001 * fan_in**-0.5
    bias = layer.cell.input_conv.bias
    assert (bias[:H] == 1).all()
    assert bias[H:].abs().max() <= fan_in**-0.5


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize('reading', READINGS)
def test_weights_are_a_distribution(reading):
    """P3.1."""
    _, maps = make(attention=reading)(frames())
    assert maps.min() >= 0
    assert maps.shape[2:] == ((C, 1, 1) if reading == 'channel' else (1, *SIZE))
    torch.testing.assert_close(
        maps.flatten(2).sum(2), torch.ones_like(maps[:, :, 0, 0, 0])
    )
    assert (maps.std() > 1e-3) == (reading != 'none')


def test_causality_and_order():
    """P3.2."""
    layer, x = make(), frames()
    states, maps = layer(x)
    for t in range(1, T):
        changed = x.clone()
        changed[:, t:] = torch.randn_like(x[:, t:])
        new_states, new_maps = layer(changed)
        assert torch.equal(new_states[:, :t], states[:, :t])
        assert torch.equal(new_maps[:, :t], maps[:, :t])
        assert not torch.allclose(new_states[:, t], states[:, t])
    reversed_states, _ = layer(x.flip(1))
    assert not torch.allclose(reversed_states.flip(1), states)


def test_only_later_attention_sees_the_state():
    """P3.3."""
    layer, x = make(), frames()
    _, before = layer(x)
    nn.init.normal_(layer.attention.w_ha.weight)
    _, after = layer(x)
    assert torch.equal(after[:, 0], before[:, 0])
    assert not torch.allclose(after[:, 1], before[:, 1])


def test_attention_alone_sees_the_state_of_attention_only():
    """The same frame after different ones: the state differs by its attention only."""
    layer, x = make(state='attention_only'), frames()
    nn.init.zeros_(layer.attention.w_ha.weight)
    states, _ = layer(x)
    for t in range(T):
        alone, _ = layer(x[:, t : t + 1])
        torch.testing.assert_close(alone[:, 0], states[:, t], **CLOSE)
    nn.init.normal_(layer.attention.w_ha.weight)
    states, _ = layer(x)
    alone, _ = layer(x[:, 1:2])
    assert not torch.allclose(alone[:, 0], states[:, 1])


def test_uniform_attention():
    """P3.4: no W_z, or a constant frame before any state."""
    uniform = torch.ones(S, T, 1, *SIZE, dtype=torch.float64) / (SIZE[0] * SIZE[1])
    layer, x = make(), frames()
    nn.init.zeros_(layer.attention.w_z.weight)
    states, maps = layer(x)
    torch.testing.assert_close(maps, uniform, **CLOSE)
    gates = layer.cell.input_conv(x[:, 0] / (SIZE[0] * SIZE[1]))
    _, i, o, g = gates.chunk(4, dim=1)
    first = o.sigmoid() * torch.tanh(i.sigmoid() * g.tanh())
    torch.testing.assert_close(states[:, 0], first, **CLOSE)
    constant = torch.randn(S, T, C, 1, 1).double().expand(-1, -1, -1, *SIZE)
    for reading in ('videolstm', 'pixel_mean'):
        _, maps = make(attention=reading)(constant)
        torch.testing.assert_close(maps[:, :1], uniform[:, :1], **CLOSE)


def test_permuted_pixels():
    """P3.5: attention of 1x1 kernels follows its pixels, the 3x3 gates do not."""
    layer, x = make(), frames()
    order = torch.randperm(SIZE[0] * SIZE[1])
    permuted = x.flatten(3)[..., order].unflatten(3, SIZE)
    (states, maps), (new_states, new_maps) = layer(x), layer(permuted)
    torch.testing.assert_close(
        new_maps[:, 0].flatten(2), maps[:, 0].flatten(2)[..., order], **CLOSE
    )
    assert not torch.allclose(
        new_states[:, 0].flatten(2), states[:, 0].flatten(2)[..., order]
    )
    pointwise = make(kernel_size=1)
    (states, maps), (new_states, new_maps) = pointwise(x), pointwise(permuted)
    torch.testing.assert_close(
        new_maps.flatten(3), maps.flatten(3)[..., order], **CLOSE
    )
    torch.testing.assert_close(
        new_states.flatten(3), states.flatten(3)[..., order], **CLOSE
    )


@pytest.mark.parametrize('reading', READINGS)
def test_other_sizes(reading):
    """P3.5: the size of the map is free, but for the dense layer."""
    layer, x = make(attention=reading), frames(size=(5, 6))
    if reading == 'gap_dense':
        with pytest.raises(ValueError, match=r'of \(7, 4\), got \(5, 6\)'):
            layer(x)
        return
    states, _ = layer(x)
    torch.testing.assert_close(states, expected(layer, x, reading=reading)[0], **CLOSE)


def test_states_are_bounded_and_batches_independent():
    """P3.6."""
    layer, x = make(), 100 * frames(steps=13)
    states, maps = layer(x)
    assert states.abs().max() < 1
    for n in range(S):
        alone, own = layer(x[n : n + 1])
        torch.testing.assert_close(alone[0], states[n], **CLOSE)
        torch.testing.assert_close(own[0], maps[n], **CLOSE)


@pytest.mark.parametrize(
    'options',
    [
        *({'attention': reading} for reading in READINGS),
        *({'attention': reading, 'state': 'attention_only'} for reading in READINGS),
        {'peepholes': True},
        {'cell': 'lstm'},
        {'with_cp': True},
    ],
    ids=str,
)
def test_gradients(options):
    channels = 2
    layer = AttentionConvLSTM(
        channels, 1, kernel_size=3, feature_size=(2, 3), **options
    ).double()
    x = torch.randn(1, 3, channels, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, *_: layer(x), (x, *layer.parameters()), fast_mode=True
    )
    layer(x)[0].square().sum().backward()
    for name, weight in layer.named_parameters():
        assert weight.grad.abs().max() > 0, name


def test_checkpointing_changes_nothing():
    plain, x = make(), frames()
    saving = make(with_cp=True)
    saving.load_state_dict(plain.state_dict())
    grads = []
    for layer in (plain, saving):
        states, maps = layer(x)
        (states.square().sum() + maps.square().sum()).backward()
        grads.append([p.grad for p in layer.parameters()])
    torch.testing.assert_close(grads[0], grads[1], **CLOSE)


def test_checkpointing_keeps_less():
    kept = []
    for with_cp in (False, True):
        layer, x = make(with_cp=with_cp), frames()
        sizes = []

        def note(tensor, sizes=sizes):
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            layer(x)
        kept.append(sum(sizes))
    assert kept[1] < kept[0] / 3


def test_bf16_autocast_is_close():
    layer, x = make(dtype=torch.float32), frames().float()
    states, _ = layer(x)
    with torch.autocast('cpu', torch.bfloat16):
        rough, rough_maps = layer(x)
    assert rough_maps.dtype == torch.float32
    torch.testing.assert_close(rough.float(), states, rtol=0.1, atol=0.05)
    torch.testing.assert_close(rough_maps.flatten(2).sum(2), torch.ones(S, T))
    rough.sum().backward()
    assert all(p.grad.isfinite().all() for p in layer.parameters())


def test_compiles_in_one_graph():
    layer, x = make(), frames()
    compiled = torch.compile(layer, fullgraph=True, backend='eager')
    torch.testing.assert_close(compiled(x)[0], layer(x)[0], **CLOSE)


@pytest.mark.parametrize(
    'options', [{}, {'state': 'attention_only'}, {'with_cp': True}, {'peepholes': True}]
)
def test_gate_by_gate_is_the_same(monkeypatch, options):
    """A wide layer on a CPU convolves its gates one by one."""
    layer, x = make(**options), frames()
    assert layer.cell.split_kernels() is None
    results = []
    for least in (conv_lstm.SPLIT_CHANNELS, 1):
        monkeypatch.setattr(conv_lstm, 'SPLIT_CHANNELS', least)
        layer.zero_grad()
        states, maps = layer(x)
        states.square().sum().backward()
        results.append((states, maps, [p.grad for p in layer.parameters()]))
    assert len(layer.cell.split_kernels()) == 4
    torch.testing.assert_close(*results, **CLOSE)


def test_cell_of_equal_gates():
    """Zero weights: every gate is a half, and nothing is written."""
    cell = ConvLSTMCell(3, 2)
    for weight in cell.parameters():
        nn.init.zeros_(weight)
    ones = torch.ones(1, 2, 5, 7)
    h, c = cell(torch.randn(1, 3, 5, 7), torch.ones(1, 1, 5, 7), ones, ones)
    torch.testing.assert_close(c, 0.5 * ones)
    torch.testing.assert_close(h, 0.5 * torch.tanh(c))


@pytest.mark.parametrize(
    'options, message',
    [
        ({'attention': 'x'}, "attention: expected one of .*, got 'x'"),
        ({'state': 'lost'}, "state: expected one of .*, got 'lost'"),
        ({'cell': 'gru'}, "cell: expected one of .*, got 'gru'"),
        ({'kernel_size': 2}, 'kernel_size: .* above 0 and odd, got 2'),
        ({'attention_kernel': 2}, 'attention_kernel: .* above 0 and odd, got 2'),
        (
            {'cell': 'lstm', 'attention': 'pixel_mean'},
            "attention: expected another than 'pixel_mean' with cell='lstm'",
        ),
        (
            {'peepholes': True, 'state': 'attention_only'},
            "peepholes: expected False with state='attention_only'.*, got True",
        ),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)
