"""Recurrent temporal attention: equations, limits and symmetries."""

import math

import pytest
import torch
from reference.temporal_lstm import paper_weights, recurrent_attention
from torch import nn

from mmattn.models.layers import TemporalAttentionLSTM
from mmattn.models.layers.temporal_lstm import LSTMLayer, lstm_cell

B, T, C, H, D = 2, 5, 11, 7, 3
CLOSE = {'rtol': 1e-9, 'atol': 1e-9}


def make(dtype=torch.float64, **options):
    options = {'num_steps': D} | options
    return TemporalAttentionLSTM(C, H, **options).to(dtype).eval()


def frames(dtype=torch.float64, num_frames=T):
    return torch.randn(B, num_frames, C, dtype=dtype)


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'query': 'bottom'},
        {'query': 'concat'},
        {'init_state': 'mean_mlp'},
        {'attention': False},
        {'attention': False, 'init_state': 'mean_mlp'},
        {'num_layers': 1},
        {'num_layers': 3, 'query': 'bottom'},
        {'num_layers': 3, 'query': 'concat', 'init_state': 'mean_mlp'},
        {'num_steps': None},
    ],
    ids=str,
)
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32], ids=str)
def test_follows_the_equations(options, dtype):
    layer, v = make(dtype, **options), frames(dtype)
    hidden, alpha = layer(v)
    steps = T if layer.num_steps is None else D
    assert hidden.shape == (B, steps, H)
    assert alpha.shape == (B, steps, T)
    tolerance = CLOSE if dtype == torch.float64 else {'rtol': 1e-4, 'atol': 1e-5}
    weights = paper_weights(layer.state_dict())
    for b in range(B):
        expected = recurrent_attention(
            weights,
            v[b].double().numpy(),
            steps,
            options.get('attention', True),
            options.get('query', 'top'),
        )
        got = hidden[b].double(), alpha[b].double()
        torch.testing.assert_close(got[0], torch.tensor(expected[0]), **tolerance)
        torch.testing.assert_close(got[1], torch.tensor(expected[1]), **tolerance)


def test_cell_is_that_of_torch():
    layer, cell = LSTMLayer(C, H).double(), nn.LSTMCell(C, H).double()
    f, i, o, g = range(4)
    with torch.no_grad():
        for ours, theirs in (
            (layer.W.weight, cell.weight_ih),
            (layer.U.weight, cell.weight_hh),
        ):
            parts = ours.chunk(4)
            theirs.copy_(torch.cat([parts[k] for k in (i, f, g, o)]))
        parts = layer.W.bias.chunk(4)
        cell.bias_ih.copy_(torch.cat([parts[k] for k in (i, f, g, o)]))
        cell.bias_hh.zero_()
    x, h, c = (torch.randn(B, n, dtype=torch.float64) for n in (C, H, H))
    got = lstm_cell(layer.W(x) + layer.U(h), c)
    torch.testing.assert_close(got, cell(x, (h, c)), **CLOSE)


def test_parameter_counts_of_the_paper():
    layer = TemporalAttentionLSTM(4096)
    sizes = [sum(p.numel() for p in m.parameters()) for m in layer.layers]
    assert sizes == [9439232, 2099200]
    assert sum(p.numel() for p in layer.attention.parameters()) == 4609
    assert sum(p.numel() for p in layer.parameters()) == 9439232 + 2099200 + 4609


def test_weights_are_a_distribution_within_the_bounds_of_tanh():
    layer = TemporalAttentionLSTM(C, H, num_steps=D).eval()
    alpha = layer(1e3 * frames(torch.float32, num_frames=30))[1]
    torch.testing.assert_close(alpha.sum(dim=2), torch.ones(B, D))
    low = 1 / (1 + 29 * math.e**2)
    high = math.e**2 / (math.e**2 + 29)
    assert low == pytest.approx(0.004645, abs=1e-6)
    assert high == pytest.approx(0.20305, abs=1e-5)
    assert alpha.min() >= low * (1 - 1e-6)
    assert alpha.max() <= high * (1 + 1e-6)
    assert alpha.max() / alpha.min() > 7  # the weights of so large features saturate


def test_frame_order_only_permutes_the_weights():
    layer, v = make(), frames()
    order = torch.tensor([3, 0, 4, 1, 2])
    hidden, alpha = layer(v)
    permuted = layer(v[:, order])
    torch.testing.assert_close(permuted[0], hidden, **CLOSE)
    torch.testing.assert_close(permuted[1], alpha[:, :, order], **CLOSE)
    assert alpha.std(dim=2).min() > 1e-3


def baseline_of(layer):
    baseline = make(attention=False, num_steps=layer.num_steps)
    baseline.load_state_dict(layer.state_dict(), strict=False)
    return baseline


def test_identical_frames_give_the_baseline():
    layer = make()
    v = frames()[:, :1].expand(-1, T, -1)
    hidden, alpha = layer(v)
    torch.testing.assert_close(alpha, torch.full_like(alpha, 1 / T), **CLOSE)
    torch.testing.assert_close(hidden, baseline_of(layer)(v)[0], **CLOSE)


def test_without_u_a_the_model_is_the_baseline():
    layer, v = make(), frames()
    nn.init.zeros_(layer.attention.u_a.weight)
    hidden, alpha = layer(v)
    torch.testing.assert_close(alpha, torch.full_like(alpha, 1 / T), **CLOSE)
    torch.testing.assert_close(hidden, baseline_of(layer)(v)[0], **CLOSE)


def test_one_frame_has_all_the_weight():
    layer = make()
    hidden, alpha = layer(frames(num_frames=1))
    assert hidden.shape == (B, D, H)
    torch.testing.assert_close(alpha, torch.ones_like(alpha), **CLOSE)


@pytest.mark.parametrize('changed', ['attention.w_a', 'layers.0', 'layers.1'])
def test_only_the_first_step_ignores_the_state(changed):
    layer, v = make(), frames()
    nn.init.normal_(layer.attention.u_a.weight)  # far from the near-uniform start
    nn.init.normal_(layer.attention.w_a.weight)
    before = layer(v)[1]
    for weight in layer.get_submodule(changed).parameters():
        nn.init.normal_(weight)
    after = layer(v)[1]
    torch.testing.assert_close(after[:, 0], before[:, 0], **CLOSE)
    assert (after[:, 1] - before[:, 1]).abs().max() > 1e-4


def test_number_of_steps_is_free():
    layer, v = make(num_steps=12), frames()
    hidden, alpha = layer(v)
    layer.num_steps = 7
    shorter = layer(v)
    torch.testing.assert_close(shorter[0], hidden[:, :7], **CLOSE)
    torch.testing.assert_close(shorter[1], alpha[:, :7], **CLOSE)


def test_without_w_a_the_weights_stay():
    layer = make()
    nn.init.zeros_(layer.attention.w_a.weight)
    alpha = layer(frames())[1]
    torch.testing.assert_close(alpha, alpha[:, :1].expand_as(alpha), **CLOSE)
    assert alpha.std(dim=2).min() > 1e-3


def test_hidden_state_is_below_one():
    layer = make(torch.float32, num_steps=40)
    for weight in layer.parameters():
        weight.data *= 30
    hidden = layer(1e3 * frames(torch.float32))[0]
    assert 0.9 < hidden.abs().max() <= 1


def test_sequences_are_independent_and_input_is_kept():
    layer, v = make(), frames()
    kept = v.clone()
    hidden = layer(v)[0]
    assert torch.equal(v, kept)
    torch.testing.assert_close(layer(v[1:])[0], hidden[1:], **CLOSE)


@pytest.mark.parametrize('options', [{}, {'init_state': 'mean_mlp'}], ids=str)
def test_gradients_of_all_weights(options):
    layer = TemporalAttentionLSTM(3, 2, num_steps=2, **options).double()
    v = torch.randn(1, 3, 3, dtype=torch.float64, requires_grad=True)
    names, weights = zip(*layer.named_parameters(), strict=True)

    def run(v, *values):
        return torch.func.functional_call(
            layer, dict(zip(names, values, strict=True)), (v,)
        )

    assert torch.autograd.gradcheck(run, (v, *weights))
    layer(v)[0].square().sum().backward()
    for name, weight in layer.named_parameters():
        # Softmax does not see a shift of all scores, but tanh makes it visible.
        assert weight.grad.abs().max() > 0, name


def test_dropout_acts_between_the_layers_only():
    v = frames()
    one = make(num_layers=1, dropout=0.5).train()
    torch.testing.assert_close(one(v)[0], one.eval()(v)[0], **CLOSE)
    two = make(dropout=0.5)
    expected = two(v)[0]
    assert (two.train()(v)[0] - expected).abs().max() > 1e-4
    two.dropout.p = 1.0
    nn.init.zeros_(two.layers[1].W.bias)
    assert two(v)[0].abs().max() == 0


@pytest.mark.parametrize('attention', [True, False])
def test_bf16_autocast_keeps_the_memory_in_full_precision(attention):
    layer, v = make(torch.float32, attention=attention), frames(torch.float32)
    expected = layer(v)
    with torch.autocast('cpu', torch.bfloat16):
        hidden, alpha = layer(v.bfloat16())
    assert hidden.dtype == alpha.dtype == torch.float32
    torch.testing.assert_close(alpha.sum(dim=2), torch.ones(B, D))
    torch.testing.assert_close(hidden, expected[0], rtol=0.05, atol=0.02)


def test_compiles_in_one_graph():
    layer, v = make(init_state='mean_mlp'), frames()
    compiled = torch.compile(layer, fullgraph=True, backend='eager')
    torch.testing.assert_close(compiled(v), layer(v), **CLOSE)


@pytest.mark.parametrize(
    'options, message',
    [
        ({'num_layers': 0}, 'num_layers: expected int at least 1, got 0'),
        (
            {'num_steps': 0},
            'num_steps: expected int at least 1 or None, got 0',
        ),
        ({'query': 'all'}, "query: expected one of .*, got 'all'"),
        ({'init_state': 'ones'}, "init_state: expected one of .*, got 'ones'"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


@pytest.mark.parametrize('bound', [1.0, 4.0, None])
def test_bound_of_the_relevance(bound):
    """By hand: e = b tanh(s / b), and s itself without a bound."""
    layer, v = make(bound=bound), 5 * frames()
    nn.init.normal_(layer.attention.u_a.weight)
    (_, alpha) = layer(v)
    scores = layer.attention.u_a(v)[:, :, 0]  # h_0 = 0
    e = scores if bound is None else bound * torch.tanh(scores / bound)
    torch.testing.assert_close(alpha[:, 0], e.softmax(dim=1), **CLOSE)


def test_without_a_bound_one_frame_may_have_all_weight():
    layer = make(bound=None)
    nn.init.normal_(layer.attention.u_a.weight)
    alpha = layer(1e3 * frames(num_frames=30))[1]
    assert alpha.max() > 0.999
    assert make()(1e3 * frames(num_frames=30))[1].max() < 0.20306


@pytest.mark.parametrize('bound', [0, -1.0])
def test_bound_is_positive(bound):
    with pytest.raises(ValueError, match='bound: expected a positive number or None'):
        make(bound=bound)
