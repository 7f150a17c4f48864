"""Errors of the attention layers under autocast, at the papers' sizes.

    python benchmarks/precision.py

Each layer gets rectified normal features, and such as are ten times as large: products
that nothing scales grow with the square. Printed is the root of the mean squared
difference from the same layer in float64, relative to the root of the mean square of
what attention adds or makes, in percent.
"""

import copy
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mmattn.models.layers.convlstm_attention import AttentionConvLSTM
from mmattn.models.layers.pyramid import PyramidAttention
from mmattn.models.layers.slowfast_attn_modules import (
    SpatialSelfAttention,
    TemporalSelfAttention,
)
from mmattn.models.layers.temporal_lstm import TemporalAttentionLSTM
from mmattn.models.losses.pyramid_losses import attention_loss, interaction_loss

DTYPES = {'bf16': torch.bfloat16, 'fp16': torch.float16}
Case = tuple[nn.Module, tuple[Tensor, ...], Callable[..., Tensor]]


def features(*shape: int, scale: float = 1.0) -> Tensor:
    """Features after a rectifier."""
    return torch.randn(shape).relu() * scale


def self_attention(layer: nn.Module, x: Tensor) -> Tensor:
    """What attention adds to the features."""
    return layer(x) - x


def pyramid_maps(scale: float) -> list[Tensor]:
    """Three scales of Inception-ResNet-v2 for three frames."""
    shapes = ((320, 35), (1088, 17), (2080, 8))
    return [features(3, c, size, size, scale=scale) for c, size in shapes]


def pyramid_map(layer: nn.Module, *maps: Tensor) -> Tensor:
    """Aggregated map of one video."""
    return layer(maps, num_frames=3).aggregated


def second_output(layer: nn.Module, x: Tensor) -> Tensor:
    """Attention weights of a recurrent layer."""
    return layer(x)[1]


def pyramid_losses(layer: nn.Module, *maps: Tensor) -> Tensor:
    """Both losses of one video."""
    out = layer(maps, num_frames=3)
    inter = interaction_loss(out.attention, out.features)
    return torch.stack([inter[0], attention_loss(out.attention, out.scores)[0]])


def cases(scale: float) -> dict[str, Case]:
    """Layers, their inputs, and what of their outputs is compared."""
    torch.manual_seed(0)
    spatial, temporal = SpatialSelfAttention(2048), TemporalSelfAttention(512)
    for layer in (spatial, temporal):
        nn.init.ones_(layer.gamma)
    pyramid = PyramidAttention((320, 1088, 2080), (8, 8))
    frames = tuple(pyramid_maps(scale))
    maps = features(1, 30, 512, 7, 7, scale=scale)
    found: dict[str, Case] = {
        'slowfast_attn, pixels': (
            spatial,
            (features(1, 2048, 4, 7, 7, scale=scale),),
            self_attention,
        ),
        'slowfast_attn, channels and frames': (
            temporal,
            (features(1, 512, 4, 7, 7, scale=scale),),
            self_attention,
        ),
        'pyramid, map': (pyramid, frames, pyramid_map),
        'pyramid, losses': (pyramid, frames, pyramid_losses),
        'temporal_lstm, weights': (
            TemporalAttentionLSTM(4096, 512, num_steps=30),
            (features(1, 30, 4096, scale=scale),),
            second_output,
        ),
    }
    for attention in ('videolstm', 'gap_dense', 'pixel_mean', 'channel'):
        layer = AttentionConvLSTM(512, 16, attention=attention)
        found[f'convlstm, {attention}'] = (layer, (maps,), second_output)
    return found


def relative_error(case: Case, dtype: torch.dtype) -> float:
    """Relative error of a layer under autocast, in percent."""
    layer, inputs, output = case
    wide = copy.deepcopy(layer).double()
    with torch.no_grad():
        expected = output(wide, *(x.double() for x in inputs))
        with torch.autocast('cpu', dtype):
            got = output(layer, *inputs).double()
    scale = expected.square().mean().sqrt()
    return float((got - expected).square().mean().sqrt() / scale * 100)


def main() -> None:
    """Print the table."""
    warnings.simplefilter('ignore')
    print('| layer | features | bf16 | fp16 |\n|---|---|---|---|')
    for scale in (1, 10):
        for name, case in cases(scale).items():
            errors = (f'{relative_error(case, d):.2f}' for d in DTYPES.values())
            print(f'| {name} | x {scale} | {" | ".join(errors)} |')


if __name__ == '__main__':
    main()
