"""What there is to choose from: systems, networks, attention modules, their cost."""

from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from mmattn.front.attach import CATALOGUE, ELSEWHERE, Module
from mmattn.front.systems import SYSTEMS
from mmattn.front.trunks import TRUNKS
from mmattn.models.layers.build import build_attention

CHANNELS, FRAMES, SIDE = 256, 8, 14  # of the map for which costs are given


class Cost(NamedTuple):
    """What a module costs.

    Args:
        parameters: Number of parameters.
        multiply_adds: Multiplications with an addition.
    """

    parameters: int
    multiply_adds: int


def module_cost(name: str, module: Module) -> Cost:
    """Count the cost of a module on a clip of 8 maps of 256 channels, 14 x 14.

    Nothing is computed: the tensors have shapes and no values.

    Args:
        name: Its name in the catalogue.
        module: The module.

    Example:
        >>> module_cost('eca', CATALOGUE['eca']).parameters
        5
    """
    config = dict(module.config)
    frames = (FRAMES, CHANNELS, SIDE, SIDE)
    clip = (1, CHANNELS, FRAMES, SIDE, SIDE)
    if name == 'non_local':
        config['type'] = 'mmcv.cnn.NonLocal3d'
    with torch.device('meta'):
        built = build_attention('module', config, CHANNELS).eval()
        x = torch.zeros(frames if module.frames_only else clip)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        built(x)
    parameters = sum(p.numel() for p in built.parameters())
    return Cost(parameters, counter.get_total_flops() // 2)


def catalogue_text() -> str:
    """Return all that there is to choose from, in a few tables."""
    lines = ['systems of `mmattn train --system`:', f'  {", ".join(SYSTEMS)}', '']
    lines += ['networks of `mmattn train --backbone`:', f'  {", ".join(TRUNKS)}', '']
    lines += [
        'modules of `mmattn attach --attention`, in any 2D or 3D ConvNet of MMAction2,',
        f'with the cost on {FRAMES} maps of {CHANNELS} x {SIDE} x {SIDE}:',
        f'  {"":<10}{"parameters":>11}{"multiply-adds":>15}',
    ]
    for name, module in CATALOGUE.items():
        cost = module_cost(name, module)
        lines.append(
            f'  {name:<10}{cost.parameters:>11,}{cost.multiply_adds / 1e6:>13.1f} M'
            f'  {module.does}'
        )
    lines += ['', 'systems that are no such module:']
    lines += [f'  {name:<14}{why}' for name, why in ELSEWHERE.items()]
    lines += ['', 'backbones of MMAction2 and their places: docs/backbones.md']
    return '\n'.join(lines)
