"""TensorFlow's SAME padding: the output has ceil(input / stride) positions.

The padding depends on the size of the input and, where its sum is odd, is one larger
at the end than at the beginning.
"""

from torch import Tensor, nn
from torch.nn import functional as F


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Padding before and after one axis.

    Args:
        size: Positions of the input along the axis.
        kernel: Positions of the window.
        stride: Step of the window.

    Example:
        >>> same_padding(8, 3, 2), same_padding(9, 3, 2)
        ((0, 1), (1, 1))
    """
    num_windows = -(-size // stride)
    total = max((num_windows - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv3d(nn.Conv3d):
    """3D convolution with SAME padding.

    Where the padding is symmetric, the convolution does it itself; only where it is
    not, the input is copied.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Window along time, height and width.
        stride: Step along time, height and width.
        bias: Whether to learn a bias.

    Shape:
        - Input: (N, in_channels, T, H, W).
        - Output: (N, out_channels, T', H', W'), each axis divided by its stride and
          rounded up.

    Example:
        >>> import torch
        >>> conv = SameConv3d(3, 5, kernel_size=(7, 7, 7), stride=(2, 2, 2))
        >>> conv(torch.ones(1, 3, 8, 9, 12)).shape
        torch.Size([1, 5, 4, 5, 6])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: tuple[int, int, int],
        stride: tuple[int, int, int] = (1, 1, 1),
        bias: bool = False,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Pad and convolve."""
        pads = [
            same_padding(size, kernel, stride)
            for size, kernel, stride in zip(
                x.shape[2:], self.kernel_size, self.stride, strict=True
            )
        ]
        if all(before == after for before, after in pads):
            inside = [before for before, _ in pads]
        else:
            inside = [0, 0, 0]
            x = F.pad(x, [pad for axis in reversed(pads) for pad in axis])
        return F.conv3d(x, self.weight, self.bias, self.stride, inside)


class SameMaxPool3d(nn.Module):
    """3D max pooling with SAME padding; padded positions never win.

    Args:
        kernel_size: Window along time, height and width.
        stride: Step along time, height and width.

    Shape:
        - Input: (N, C, T, H, W).
        - Output: (N, C, T', H', W'), each axis divided by its stride and rounded up.

    Raises:
        ValueError: If a window is even along an axis with stride 1.

    Example:
        >>> import torch
        >>> pool = SameMaxPool3d(kernel_size=(1, 3, 3), stride=(1, 2, 2))
        >>> pool(torch.ones(1, 2, 4, 9, 12)).shape
        torch.Size([1, 2, 4, 5, 6])
    """

    def __init__(
        self, kernel_size: tuple[int, int, int], stride: tuple[int, int, int]
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride
        for kernel, step in zip(self.kernel_size, self.stride, strict=True):
            if step == 1 and kernel % 2 == 0:
                raise ValueError(
                    'kernel_size: expected odd windows where the stride is 1, got '
                    f'{self.kernel_size} with stride {self.stride}'
                )

    def forward(self, x: Tensor) -> Tensor:
        """Pad and pool."""
        # A last window that sticks out (ceil_mode) is the missing position at the
        # end where the padding is not symmetric.
        before = [
            same_padding(size, kernel, stride)[0]
            for size, kernel, stride in zip(
                x.shape[2:], self.kernel_size, self.stride, strict=True
            )
        ]
        return F.max_pool3d(x, self.kernel_size, self.stride, before, ceil_mode=True)

    def extra_repr(self) -> str:
        """Describe the window."""
        return f'kernel_size={self.kernel_size}, stride={self.stride}'
