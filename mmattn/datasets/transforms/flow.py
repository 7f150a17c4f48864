"""Mirroring optical flow, and its storage as gray images."""

from typing import Any, Literal

import numpy as np
from mmaction.datasets.transforms import Flip, TenCrop

from mmattn.registry import TRANSFORMS

ZERO_LEVEL = 128
NEGATED_LEVELS = np.arange(255, -1, -1, dtype=np.uint8)
NEGATED_LEVELS[ZERO_LEVEL] = ZERO_LEVEL


def quantize_flow(flow: np.ndarray, bound: float = 20.0) -> np.ndarray:
    """Store flow as gray levels, (flow + bound) * 255 / (2 * bound) rounded.

    Rounds to the nearest level, halves away from the center: zero motion becomes 128,
    -bound and less 0, bound and more 255, and the levels of f and -f add up to 255 for
    every f but zero.

    Args:
        flow: Flow in pixels per frame.
        bound: Largest stored motion in pixels, positive.

    Shape:
        Any shape; uint8 of the same shape.

    Raises:
        ValueError: If ``bound`` is not positive or the flow is not finite.

    Example:
        >>> quantize_flow(np.array([-20.0, -1.0, 0.0, 1.0, 99.0]))
        array([  0, 121, 128, 134, 255], dtype=uint8)
    """
    if bound <= 0:
        raise ValueError(f'expected `bound` to be positive, got {bound}')
    if not np.isfinite(flow).all():
        raise ValueError('expected finite flow, got nan or inf')
    # magnitude in levels, from the center 127.5
    levels = np.abs(np.clip(flow, -bound, bound)).astype(np.float64) * 127.5 / bound
    away = np.minimum(np.floor(levels), 127)
    return np.where(flow >= 0, 128 + away, 127 - away).astype(np.uint8)


def dequantize_flow(levels: np.ndarray, bound: float = 20.0) -> np.ndarray:
    """Return the flow that gray levels stand for, up to half a level, bound / 255.

    Args:
        levels: Gray levels, uint8.
        bound: The bound that the levels were made with, in pixels.

    Shape:
        Any shape; float32 of the same shape, in pixels.

    Raises:
        ValueError: If the levels are not uint8 or ``bound`` is not positive.

    Example:
        >>> dequantize_flow(np.array([0, 255], dtype=np.uint8))
        array([-20.,  20.], dtype=float32)
    """
    if bound <= 0:
        raise ValueError(f'expected `bound` to be positive, got {bound}')
    _check_levels(levels)
    return ((levels.astype(np.float64) / 127.5 - 1) * bound).astype(np.float32)


def negate_levels(levels: np.ndarray) -> np.ndarray:
    """Negate quantized flow: v becomes 255 - v, and zero motion, 128, stays 128.

    With (f + b) * 255 / (2b) the levels of f and -f add up to 255, so 255 - v is the
    level of -f.  The one exception is zero, which falls half way between 127 and 128
    and is stored as 128, where the preprocessor's mean stands too: inverting it would
    turn a resting background into motion.  The result equals computing the flow of the
    mirrored video and storing it, for zero and for every motion of b / 127.5 (0.16
    pixels at b = 20) or more; below that it is at most one level off.

    Args:
        levels: Gray levels, uint8.

    Shape:
        Any shape; uint8 of the same shape.

    Raises:
        ValueError: If the levels are not uint8.

    Example:
        >>> negate_levels(np.array([0, 121, 128, 134, 255], dtype=np.uint8))
        array([255, 134, 128, 121,   0], dtype=uint8)
    """
    _check_levels(levels)
    return NEGATED_LEVELS[levels]


def negate_x(field: np.ndarray) -> np.ndarray:
    """Negate the horizontal component of a quantized field; returns a new array.

    Args:
        field: Field with x in channel 0 and y in channel 1.

    Shape:
        (H, W, 2), uint8.

    Raises:
        ValueError: If it is not such a field.

    Example:
        >>> negate_x(np.full((1, 1, 2), 134, dtype=np.uint8)).tolist()
        [[[121, 134]]]
    """
    if field.ndim != 3 or field.shape[2] != 2:
        raise ValueError(f'expected a flow field (H, W, 2), got shape {field.shape}')
    return np.stack([negate_levels(field[..., 0]), field[..., 1]], axis=-1)


def _check_levels(levels: np.ndarray) -> None:
    if levels.dtype != np.uint8:
        raise ValueError(f'expected uint8 levels of quantized flow, got {levels.dtype}')


@TRANSFORMS.register_module()
class FlowFlip(Flip):
    """Mirror a video horizontally, right for flow as well.

    MMAction2's ``Flip`` inverts x and y of every second field.  Mirroring the images
    mirrors the fields and negates x alone, in all of them (:func:`negate_levels`).
    With ``modality='RGB'`` it does what ``Flip`` does.  Flow is normalized afterwards
    with mean 128 for each channel: ``[128] * 10`` for stacks of 5 fields.

    Args:
        flip_ratio: Probability of mirroring, 0 to 1.
        direction: ``'horizontal'``, or ``'vertical'`` for RGB.
        **host_args: Other arguments of ``Flip``.

    Shape:
        Fields (H, W, 2), uint8, x and y.

    Raises:
        ValueError: If flow is to be mirrored vertically or lazily.

    Example:
        >>> field = np.array([[[134, 134], [128, 128]]], dtype=np.uint8)
        >>> sample = {'modality': 'Flow', 'imgs': [field], 'img_shape': (1, 2)}
        >>> FlowFlip(1.0)(sample)['imgs'][0].tolist()
        [[[128, 128], [121, 134]]]
    """

    def __init__(
        self,
        flip_ratio: float = 0.5,
        direction: Literal['horizontal', 'vertical'] = 'horizontal',
        **host_args: Any,
    ) -> None:
        super().__init__(flip_ratio, direction, **host_args)

    def transform(self, results: dict) -> dict:
        """Mirror with the given probability.

        Args:
            results: The sample.
        """
        if results['modality'] == 'Flow':
            if self.direction != 'horizontal':
                raise ValueError(
                    f"expected direction='horizontal' for flow, got {self.direction!r}"
                )
            if self.lazy:
                raise ValueError('expected lazy=False for flow, got lazy=True')
        return super().transform(results)

    def _flip_imgs(self, imgs: list[np.ndarray], modality: str) -> list[np.ndarray]:
        if modality != 'Flow':
            return super()._flip_imgs(imgs, modality)
        return [negate_x(img[:, ::-1]) for img in imgs]


@TRANSFORMS.register_module()
class FlowTenCrop(TenCrop):
    """Corners, center and their mirror images, right for flow as well.

    MMAction2's ``TenCrop`` mirrors flow without negating x.  Its order stays: crop,
    mirrored crop, next crop, ...  MMAction2's ``ThreeCrop`` does not mirror and is
    right as it is.

    Args:
        crop_size: Width and height of a crop, or one number for both.

    Shape:
        10 * n images of n, crop after crop.

    Example:
        >>> field = np.full((4, 4, 2), 134, dtype=np.uint8)
        >>> sample = {'modality': 'Flow', 'imgs': [field], 'img_shape': (4, 4)}
        >>> [img[0, 0].tolist() for img in FlowTenCrop(2)(sample)['imgs'][:2]]
        [[134, 134], [121, 134]]
    """

    def __init__(self, crop_size: int | tuple[int, int]) -> None:
        super().__init__(crop_size)

    def transform(self, results: dict) -> dict:
        """Crop the images.

        Args:
            results: The sample.
        """
        num_imgs = len(results['imgs'])
        results = super().transform(results)
        if results['modality'] == 'Flow':
            results['imgs'] = [
                negate_x(img) if place // num_imgs % 2 else img
                for place, img in enumerate(results['imgs'])
            ]
        return results
