"""Reductions of the maps of several frames to one map."""

from abc import abstractmethod
from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor

from mmattn.registry import MODELS

Reduced = tuple[Tensor, dict[str, Tensor]]


class FrameReduction(BaseModule):
    """What :class:`~mmattn.models.ReductionRecognizer` expects of a reduction.

    A subclass implements :meth:`forward` and is registered in
    ``mmattn.registry.MODELS``. It keeps nothing from one call to the next, sees each
    view on its own, and works for any number of frames: training and testing may have
    different ones.

    Example:
        >>> import torch
        >>> class FrameMax(FrameReduction):
        ...     def forward(self, taps, num_frames):
        ...         maps = taps[-1].unflatten(0, (-1, num_frames))
        ...         return maps.amax(dim=1), {}
        >>> low, top = torch.rand(6, 2, 8, 8), torch.rand(6, 5, 4, 4)
        >>> reduced, losses = FrameMax()((low, top), num_frames=3)
        >>> reduced.shape
        torch.Size([2, 5, 4, 4])
    """

    def compact(self, taps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return what is kept of some frames' maps until all frames have passed.

        The trunk may see the frames chunk after chunk. By default the maps stay as they
        are; a subclass that needs less of them saves the memory of the rest.

        Args:
            taps: Maps of the tapped stages in forward order.

        Shape:
            - taps, output: (rows, C_j, H_j, W_j); H_j and W_j may shrink.
        """
        return taps

    @abstractmethod
    def forward(self, taps: tuple[Tensor, ...], num_frames: int) -> Reduced:
        """Reduce K frames of each of V views (a crop of a video) to one map.

        Args:
            taps: Maps of the tapped stages in forward order, from :meth:`compact`; the
                reduced map takes the place of the last. The K frames of a view are
                successive rows.
            num_frames: Frames K of a view.

        Returns:
            The reduced maps, and losses by name. Each is a mean over the views, already
            weighted. Those with ``loss`` in their name are added to the total, others
            are only logged; those at test are ignored.

        Shape:
            - taps: (V * K, C_j, H_j, W_j).
            - Output: (V, C, H, W), as the stage after the last tap takes it.
        """


def split_taps(maps: Tensor, channels: Sequence[int]) -> tuple[Tensor, ...]:
    """Return the maps of several taps that were stored side by side.

    Args:
        maps: What :meth:`FrameReduction.compact` has left, joined along the channels.
        channels: Channels of each tap.

    Shape:
        - maps: (rows, sum of channels, H, W).

    Raises:
        ValueError: If there are other channels.

    Example:
        >>> import torch
        >>> [len(tap[0]) for tap in split_taps(torch.ones(2, 5, 7, 7), (3, 2))]
        [3, 2]
    """
    if maps.shape[1] != sum(channels):
        raise ValueError(
            f'inputs: expected maps of {sum(channels)} channels, as stored_channels '
            f'says, got {maps.shape[1]}'
        )
    return maps.split(tuple(channels), dim=1)


@MODELS.register_module()
class FrameMean(FrameReduction):
    """Average the map of the last tap over the frames, as a baseline without weights.

    Example:
        >>> import torch
        >>> maps = torch.tensor([1.0, 3.0, 10.0, 20.0]).view(4, 1, 1, 1)
        >>> FrameMean()((maps,), num_frames=2)[0].flatten()
        tensor([ 2., 15.])
    """

    def forward(self, taps: tuple[Tensor, ...], num_frames: int) -> Reduced:
        """Reduce (V * K, C, H, W) to (V, C, H, W), without losses."""
        maps = taps[-1].unflatten(0, (-1, num_frames))  # (V, K, C, H, W)
        return maps.mean(dim=1), {}
