"""Cluttered, drifting backgrounds and the shapes that move before them."""

import cv2
import numpy as np

from mmattn.synthetic.figure import LIMBS, limb_colors
from mmattn.synthetic.options import VideoOptions
from mmattn.synthetic.scene import (
    SUPERSAMPLE,
    Layer,
    capsule_texture,
    color,
    similarity,
    smooth_noise,
)


def make_backdrop(options: VideoOptions, rng: np.random.Generator) -> list[Layer]:
    """Panning background with clutter on it, and shapes that drift before it.

    Args:
        options: Options of the data set.
        rng: Source of randomness.

    Example:
        >>> options = VideoOptions(hardness=0.0)
        >>> len(make_backdrop(options, np.random.default_rng(0)))
        4
    """
    count = round(3 + 5 * options.hardness)
    side = min(options.size)
    shapes = [
        _moving(_shape_texture(rng, side * rng.uniform(0.08, 0.2)), options, rng)
        for _ in range(count)
    ]
    return [_ground(options, rng), *shapes]


def limb_clutter(
    options: VideoOptions, rng: np.random.Generator, *, height: float
) -> list[Layer]:
    """Loose limbs with the size and the colors of figures, drifting about.

    Args:
        options: Options of the data set.
        rng: Source of randomness.
        height: Standing height of the figures in pixels.

    Example:
        >>> options = VideoOptions(preset='small', hardness=0.0)
        >>> len(limb_clutter(options, np.random.default_rng(0), height=20.0))
        12
    """
    layers = []
    for _ in range(round(12 + 24 * options.hardness)):
        actor = bool(rng.random() < 0.7)
        colors = limb_colors(rng, actor=actor, hardness=options.hardness)
        name = str(rng.choice(list(LIMBS)))
        length, radius = (SUPERSAMPLE * height * size for size in LIMBS[name])
        texture, _ = capsule_texture(rng, length, radius=radius, rgb=colors[name])
        layers.append(_moving(texture, options, rng))
    return layers


def _ground(options: VideoOptions, rng: np.random.Generator) -> Layer:
    width, height = options.size
    shape = 2 * height, 2 * width
    tone = color(rng.random(), rng.uniform(0.1, 0.4), rng.uniform(0.25, 0.55))
    texture = np.empty((*shape, 4), np.float32)
    texture[..., :3] = tone
    texture[..., 3] = 255
    for cells, strength in ((5, 45), (16, 25), (48, 15)):
        shades = smooth_noise(rng, shape, cells=cells)
        tints = smooth_noise(rng, shape, cells=cells, channels=3)
        texture[..., :3] += strength * (0.7 * shades + 0.3 * tints)
    for _ in range(24):
        _draw_clutter(texture, rng, tone)
    np.clip(texture, 0, 235, out=texture)
    texture[..., 3] = 255

    T = options.num_frames
    reach = (0.06 + 0.14 * options.hardness) * np.array(options.size)
    zoom = 1 + _wave(rng, T, size=0.05)
    angle = _wave(rng, T, size=0.06)
    pan = similarity(
        width / 2 + _wave(rng, T, size=reach[0]),
        height / 2 + _wave(rng, T, size=reach[1]),
        scale=zoom,
        angle=angle,
    )
    return Layer(texture, centered(pan, texture), np.ones(T, bool))


def _draw_clutter(
    texture: np.ndarray, rng: np.random.Generator, tone: np.ndarray
) -> None:
    height, width = texture.shape[:2]
    center = int(rng.integers(width)), int(rng.integers(height))
    axes = tuple(int(axis) for axis in rng.integers(3, 3 + min(height, width) // 10, 2))
    tint = color(rng.random(), rng.uniform(0.1, 0.5), rng.uniform(0.2, 0.7))
    rgba = (*(0.5 * (tone + tint)).tolist(), 255.0)
    kind = rng.integers(3)
    if kind == 0:
        angle = float(rng.uniform(0, 180))
        cv2.ellipse(texture, center, axes, angle, 0, 360, rgba, cv2.FILLED)
    elif kind == 1:
        offsets = rng.integers(-2 * axes[0], 2 * axes[0] + 1, (4, 2))
        hull = cv2.convexHull((np.array(center) + offsets).astype(np.int32))
        cv2.fillConvexPoly(texture, hull, rgba)
    else:
        end = np.array(center) + rng.integers(-width // 4, width // 4, 2)
        cv2.line(texture, center, end.tolist(), rgba, int(rng.integers(1, 4)))


def _shape_texture(rng: np.random.Generator, extent: float) -> np.ndarray:
    rgb = color(rng.random(), rng.uniform(0.2, 0.7), rng.uniform(0.35, 0.85))
    extent *= SUPERSAMPLE
    if rng.random() < 0.5:
        radius = extent * rng.uniform(0.12, 0.5)
        length = max(0.0, extent - 2 * radius)
        return capsule_texture(rng, length, radius=radius, rgb=rgb)[0]
    side = int(np.ceil(extent)) + 3
    corners = int(rng.integers(3, 7))
    turns = 2 * np.pi * (np.arange(corners) + rng.uniform(0, 0.7, corners)) / corners
    points = side / 2 + extent / 2 * np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    alpha = np.zeros((side, side), np.uint8)
    cv2.fillPoly(alpha, [np.rint(points).astype(np.int32)], 255, cv2.LINE_AA)
    shade = 0.85 + 0.3 * smooth_noise(rng, (side, side), cells=4)
    colors = np.clip(rgb * shade, 0, 255)
    full = np.full((side, side), 255, np.float32)
    return (np.dstack([colors, full]) * (alpha[..., None] / 255)).astype(np.float32)


def _moving(
    texture: np.ndarray, options: VideoOptions, rng: np.random.Generator
) -> Layer:
    T = options.num_frames
    width, height = options.size
    reach = (0.1 + 0.3 * options.hardness) * min(options.size)
    path = similarity(
        rng.uniform(0, width) + _wave(rng, T, size=reach),
        rng.uniform(0, height) + _wave(rng, T, size=reach),
        scale=np.full(T, 1 / SUPERSAMPLE),
        angle=rng.uniform(0, 2 * np.pi) + _wave(rng, T, size=1.0),
    )
    return Layer(texture, centered(path, texture), np.ones(T, bool))


def centered(maps: np.ndarray, texture: np.ndarray) -> np.ndarray:
    """Maps of a texture's pixels that carry its center to the maps' origin.

    Args:
        maps: Affine maps.
        texture: Texture that they move.

    Shape:
        maps (T, 2, 3), texture (h, w, 4) -> (T, 2, 3).

    Example:
        >>> centered(np.eye(2, 3)[None], np.zeros((5, 7, 4)))[0, :, 2].tolist()
        [-3.0, -2.0]
    """
    height, width = texture.shape[:2]
    middle = np.array([(width - 1) / 2, (height - 1) / 2, 1.0])
    maps = maps.copy()
    maps[..., 2] -= maps[..., :2] @ middle[:2]
    return maps


def _wave(rng: np.random.Generator, num_frames: int, *, size: float) -> np.ndarray:
    rate, start = rng.uniform(0.3, 1.0), rng.uniform(0, 2 * np.pi)
    return size * np.sin(2 * np.pi * rate * np.arange(num_frames) / num_frames + start)
