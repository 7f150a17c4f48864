"""What the Inception networks are made of: normalized convolutions in branches."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


def conv_bn_relu(
    in_channels: int,
    out_channels: int,
    *,
    kernel: int | tuple[int, int] = 1,
    stride: int = 1,
    padding: int | tuple[int, int] | None = None,
    bias: bool = False,
    eps: float = 1e-3,
) -> nn.Sequential:
    """Convolution ``conv``, batch normalization ``bn`` and ReLU.

    The host's ConvModule warns of a bias before a normalization, which the published
    BN-Inception has.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: Height and width of the kernel, or both.
        stride: Step in pixels.
        padding: Zeros at each border; None for half the kernel, which keeps the size
            where the stride is 1.
        bias: Whether the convolution has a bias of its own.
        eps: Added to the variance by the normalization.

    Shape:
        - Input: (N, in_channels, H, W).
        - Output: (N, out_channels, H', W').

    Example:
        >>> conv_bn_relu(3, 5, kernel=(1, 7))(torch.ones(2, 3, 9, 8)).shape
        torch.Size([2, 5, 9, 8])
    """
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    if padding is None:
        padding = (height // 2, width // 2)
    conv = nn.Conv2d(
        in_channels,
        out_channels,
        (height, width),
        stride=stride,
        padding=padding,
        bias=bias,
    )
    norm = nn.BatchNorm2d(out_channels, eps=eps)
    parts = {'conv': conv, 'bn': norm, 'relu': nn.ReLU(inplace=True)}
    return nn.Sequential(OrderedDict(parts))


class Branches(nn.Module):
    """Concatenate the outputs of parallel branches along the channels.

    Args:
        branches: Each branch is a chain of steps, and a step holds modules by their
            names. The outputs of a step of several modules are concatenated.

    Shape:
        - Input: (N, C, H, W).
        - Output: (N, sum of the branches' channels, H', W').

    Example:
        >>> block = Branches([[{'a': nn.Conv2d(3, 5, 1)}], [{'b': nn.Identity()}]])
        >>> block(torch.ones(2, 3, 4, 4)).shape
        torch.Size([2, 8, 4, 4])
    """

    def __init__(self, branches: Sequence[Sequence[Mapping[str, nn.Module]]]) -> None:
        super().__init__()
        self._names = [[tuple(step) for step in branch] for branch in branches]
        for branch in branches:
            for step in branch:
                for name, module in step.items():
                    self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        """Apply every branch to ``x``."""
        outputs = []
        for branch in self._names:
            y = x
            for step in branch:
                parts = [getattr(self, name)(y) for name in step]
                y = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
            outputs.append(y)
        return torch.cat(outputs, dim=1)
