"""Textured layers moved by affine maps, their rendering and their exact flow."""

import colorsys
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

SUPERSAMPLE = 2


@dataclass
class Layer:
    """A textured shape and the affine map that carries it, frame by frame.

    Args:
        texture: RGBA image in [0, 255], colors already multiplied by alpha / 255.
        maps: Affine maps from texture pixels to frame pixels (pixel centers).
        shown: Frames in which the layer is drawn.
        figure: Whether the layer is a part of a performing figure.

    Shape:
        texture (h, w, 4), maps (T, 2, 3), shown (T,).

    Example:
        >>> maps = np.tile(np.eye(2, 3), (5, 1, 1))
        >>> Layer(np.full((4, 6, 4), 255, np.float32), maps, np.ones(5, bool)).figure
        False
    """

    texture: np.ndarray
    maps: np.ndarray
    shown: np.ndarray
    figure: bool = False


@dataclass
class Person:
    """A person among several, and what the person does.

    Args:
        boxes: x1, y1, x2, y2 in pixels, as in `Clip`.
        labels: Classes that apply to the person.

    Shape:
        boxes (T, 4).

    Example:
        >>> Person(np.zeros((5, 4)), (0, 3)).labels
        (0, 3)
    """

    boxes: np.ndarray
    labels: tuple[int, ...]


@dataclass
class Clip:
    """A rendered clip with its exact annotations.

    Args:
        frames: Pixels, RGB, 0..255.
        label: Class of the clip.
        boxes: x1, y1, x2, y2 of the actor in pixels, where pixel (0, 0) covers
            [0, 1] x [0, 1]; NaN in the frames in which the actor is absent.
        key: Frames that carry the action.
        shown: Class whose evidence each frame shows.
        actor_look: Frames whose figure looks like the actor, not like a bystander.
        ids: Index of the top-most layer at each pixel; 0 is the background.
        layers: Layers of the scene, the background first.
        persons: All persons, in preset 'interaction'; the first is the actor.

    Shape:
        frames (T, H, W, 3), boxes (T, 4), key, shown and actor_look (T,),
        ids (T, H, W).

    Example:
        >>> from mmattn.synthetic import VideoOptions, render_clip
        >>> clip = render_clip(VideoOptions(preset='motion'), 'train', 0)
        >>> clip.flow.shape
        (29, 64, 64, 2)
    """

    frames: np.ndarray
    label: int
    boxes: np.ndarray
    key: np.ndarray
    shown: np.ndarray
    actor_look: np.ndarray
    ids: np.ndarray
    layers: list[Layer] = field(repr=False)
    persons: tuple[Person, ...] = ()

    @property
    def mask(self) -> np.ndarray:
        """Pixels (T, H, W) whose top-most layer belongs to a figure."""
        return np.array([layer.figure for layer in self.layers])[self.ids]

    @cached_property
    def flow(self) -> np.ndarray:
        """Optical flow (T-1, H, W, 2), x then y, in pixels from frame t to t+1.

        It is computed from the maps of the layers, not estimated.  Where a figure
        is replaced at t+1 by another, it is the motion of the one that leaves.
        """
        return exact_flow(self.ids, [layer.maps for layer in self.layers])


def exact_flow(ids: np.ndarray, maps: list[np.ndarray]) -> np.ndarray:
    """Displacement of the top-most layer at each pixel to the next frame.

    A layer that moves by the affine maps M(t) carries the pixel p of frame t to
    M(t+1) M(t)^-1 p.

    Args:
        ids: Index of the top-most layer at each pixel.
        maps: Affine maps of each layer.

    Shape:
        ids (T, H, W), each of maps (T, 2, 3) -> (T-1, H, W, 2).

    Example:
        >>> pan = np.tile(np.eye(2, 3), (2, 1, 1))
        >>> pan[1, 0, 2] = 3.0
        >>> exact_flow(np.zeros((2, 4, 4), np.uint8), [pan])[0, 0, 0].tolist()
        [3.0, 0.0]
    """
    T, H, W = ids.shape
    square = np.zeros((len(maps), T, 3, 3))
    square[:, :, :2] = np.stack(maps)
    square[:, :, 2, 2] = 1
    step = square[:, 1:] @ np.linalg.inv(square[:, :-1]) - np.eye(3)
    y, x = np.mgrid[:H, :W]
    points = np.stack([x, y, np.ones_like(x)], axis=-1)
    flow = np.empty((T - 1, H, W, 2), np.float32)
    for t in range(T - 1):
        flow[t] = np.einsum('hwij,hwj->hwi', step[:, t, :2][ids[t]], points)
    return flow


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Affine maps that apply `inner` first and `outer` second.

    Args:
        outer: Affine maps.
        inner: Affine maps.

    Shape:
        (..., 2, 3) and (..., 2, 3) -> (..., 2, 3).

    Example:
        >>> compose(np.eye(2, 3), 2 * np.eye(2, 3)).tolist()
        [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    """
    linear = outer[..., :2]
    offset = linear @ inner[..., 2:] + outer[..., 2:]
    return np.concatenate([linear @ inner[..., :2], offset], axis=-1)


def similarity(
    x: np.ndarray, y: np.ndarray, *, scale: np.ndarray, angle: np.ndarray
) -> np.ndarray:
    """Maps that scale, rotate (clockwise on the screen) and then translate.

    Args:
        x: Horizontal position of the origin, pixels.
        y: Vertical position of the origin, pixels, downward.
        scale: Pixels for each unit.
        angle: Radians.

    Shape:
        four arrays (T,) -> (T, 2, 3).

    Example:
        >>> one = np.ones(1)
        >>> similarity(5 * one, 7 * one, scale=one, angle=0 * one)[0].tolist()
        [[1.0, -0.0, 5.0], [0.0, 1.0, 7.0]]
    """
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    rows = [[cos, -sin, x], [sin, cos, y]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def render_layers(
    layers: list[Layer], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the layers back to front.

    Args:
        layers: Layers, the opaque background first.
        size: Width and height in pixels.

    Shape:
        -> frames (T, H, W, 3) float32 in [0, 255], ids (T, H, W) uint8.

    Example:
        >>> maps = np.tile(np.eye(2, 3), (5, 1, 1))
        >>> grey = np.full((8, 12, 4), 128, np.float32)
        >>> frames, ids = render_layers([Layer(grey, maps, np.ones(5, bool))], (12, 8))
        >>> frames.shape, ids.max()
        ((5, 8, 12, 3), np.uint8(0))
    """
    width, height = size
    T, s = len(layers[0].maps), SUPERSAMPLE
    # The center of frame pixel x lies at s * x + (s - 1) / 2 on the canvas.
    to_canvas = np.array([[s, 0, (s - 1) / 2], [0, s, (s - 1) / 2]])
    maps = [compose(to_canvas, layer.maps) for layer in layers]
    ground = np.ascontiguousarray(layers[0].texture[..., :3])
    frames = np.empty((T, height, width, 3), np.float32)
    ids = np.empty((T, height, width), np.uint8)
    for t in range(T):
        canvas = cv2.warpAffine(
            ground,
            maps[0][t],
            (s * width, s * height),
            borderMode=cv2.BORDER_REFLECT_101,
        )
        top = np.zeros((s * height, s * width), np.uint8)
        for index, layer in enumerate(layers[1:], start=1):
            if layer.shown[t]:
                _draw(canvas, top, layer.texture, matrix=maps[index][t], index=index)
        cv2.resize(canvas, size, dst=frames[t], interpolation=cv2.INTER_AREA)
        ids[t] = top[s // 2 :: s, s // 2 :: s]
    return frames, ids


def _draw(
    canvas: np.ndarray,
    top: np.ndarray,
    texture: np.ndarray,
    *,
    matrix: np.ndarray,
    index: int,
) -> None:
    height, width = texture.shape[:2]
    x, y = (-0.5, width - 0.5), (-0.5, height - 0.5)
    corners = np.array([[x[0], x[1], x[0], x[1]], [y[0], y[0], y[1], y[1]], [1] * 4])
    corners = matrix @ corners  # (2, 4)
    low = np.maximum(np.floor(corners.min(axis=1)), 0).astype(int)
    high = np.ceil(corners.max(axis=1)).astype(int) + 1
    high = np.minimum(high, [canvas.shape[1], canvas.shape[0]])
    if (low >= high).any():
        return
    local = matrix.copy()
    local[:, 2] -= low
    extent = int(high[0] - low[0]), int(high[1] - low[1])
    patch = cv2.warpAffine(texture, local, extent)
    alpha = patch[..., 3:] / 255
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    canvas[window] = canvas[window] * (1 - alpha) + patch[..., :3]
    top[window][alpha[..., 0] > 0.5] = index


def color(hue: float, saturation: float, value: float) -> np.ndarray:
    """RGB color (3,) in [0, 255] of a hue, a saturation and a value in [0, 1].

    Args:
        hue: Fraction of the color circle; 0 is red.
        saturation: 0 is grey, 1 is pure.
        value: 0 is black.

    Example:
        >>> color(0.0, 1.0, 1.0).tolist()
        [255.0, 0.0, 0.0]
    """
    rgb = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return 255 * np.array(rgb, np.float32)


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], *, cells: int, channels: int = 1
) -> np.ndarray:
    """Random image in about [-1, 1] with about `cells` bumps along each side.

    Args:
        rng: Source of randomness.
        shape: Height and width in pixels.
        cells: Bumps along each side.
        channels: Number of independent channels.

    Shape:
        -> (height, width, channels) float32.

    Example:
        >>> smooth_noise(np.random.default_rng(0), (8, 12), cells=3).shape
        (8, 12, 1)
    """
    coarse = rng.uniform(-1, 1, (cells, cells, channels)).astype(np.float32)
    image = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return image.reshape(*shape, channels)


def capsule_texture(
    rng: np.random.Generator, length: float, *, radius: float, rgb: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Striped, outlined capsule along x, and the first end of its axis.

    Args:
        rng: Source of randomness.
        length: Distance between the ends of the axis, texture pixels.
        radius: Texture pixels.
        rgb: Main color.

    Shape:
        -> texture (h, w, 4) float32, start (2,).

    Example:
        >>> red = color(0.0, 1.0, 1.0)
        >>> rng = np.random.default_rng(0)
        >>> texture, start = capsule_texture(rng, 9.0, radius=3.0, rgb=red)
        >>> texture.shape, start.tolist()
        ((8, 17, 4), [3.5, 3.5])
    """
    height = int(np.ceil(2 * radius)) + 2
    width = height + int(np.ceil(length))
    start = np.full(2, (height - 1) / 2)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    along = np.clip(x - start[0], 0, length)
    distance = np.hypot(x - start[0] - along, y - start[1])
    alpha = np.clip(radius - distance + 0.5, 0, 1)
    stripes = np.sin(x * rng.uniform(0.5, 1.0) + y * rng.uniform(-0.5, 0.5))
    shade = 0.88 + 0.12 * stripes
    outline = np.clip((distance - radius + 2) / 2, 0, 1)
    shade = shade * (1 - 0.55 * outline)
    colors = np.clip(rgb * shade[..., None], 0, 255)
    texture = np.dstack([colors, np.full_like(alpha, 255)]) * alpha[..., None]
    return texture.astype(np.float32), start
