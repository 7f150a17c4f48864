"""2D weights made 3D."""

from torch import Tensor


def inflate_weight(weight: Tensor, kernel_t: int) -> Tensor:
    """Repeat the kernels of a 2D convolution over time and divide by their number.

    On a clip of one repeated frame the 3D convolution then gives what the 2D
    convolution gives on the frame (Carreira and Zisserman, Quo vadis, action
    recognition?, section 2.4).

    Args:
        weight: Kernels of a 2D convolution.
        kernel_t: Positions of the 3D kernels along time, at least 1.

    Shape:
        - Input: (C_out, C_in, H, W).
        - Output: (C_out, C_in, kernel_t, H, W).

    Raises:
        ValueError: If ``weight`` are no 2D kernels.

    Example:
        >>> import torch
        >>> inflate_weight(torch.ones(1, 1, 1, 1), 4).flatten()
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """
    if weight.dim() != 4:
        raise ValueError(
            'pretrained2d: expected 2D kernels of shape (C_out, C_in, H, W), got '
            f'{tuple(weight.shape)}'
        )
    return (weight / kernel_t).unsqueeze(2).repeat(1, 1, kernel_t, 1, 1)


def inflate_like(tensor: Tensor, target: Tensor) -> Tensor:
    """Inflate ``tensor`` if ``target`` are 3D kernels; other tensors stay as they are.

    Args:
        tensor: Weight of a 2D network.
        target: Weight of the same name in the 3D network.

    Raises:
        ValueError: If ``target`` are 3D kernels and ``tensor`` are no 2D kernels.

    Example:
        >>> import torch
        >>> inflate_like(torch.ones(5, 3, 7, 7), torch.ones(5, 3, 2, 7, 7)).shape
        torch.Size([5, 3, 2, 7, 7])
    """
    if target.dim() != 5:
        return tensor
    return inflate_weight(tensor, target.shape[2])
