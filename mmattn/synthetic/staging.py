"""What the presets have in common: schedule, poses and places of the figures."""

from dataclasses import dataclass

import numpy as np

from mmattn.synthetic.figure import POSES, Figure, make_figure
from mmattn.synthetic.options import MIN_OTHER_CLASSES, VideoOptions
from mmattn.synthetic.scene import Layer, Person, similarity

MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass
class Scene:
    """What a preset puts before the camera.

    Args:
        layers: Layers, back to front.
        boxes: Box of the actor in each frame, NaN where it is absent.
        key: Frames that carry the action.
        shown: Class whose evidence each frame shows.
        actor_look: Frames whose figure looks like the actor.
        persons: All persons with their labels, in preset 'interaction'.

    Shape:
        boxes (T, 4), key, shown and actor_look (T,).

    Example:
        >>> key = np.ones(5, bool)
        >>> Scene([], np.zeros((5, 4)), key, shown=key, actor_look=key).persons
        ()
    """

    layers: list[Layer]
    boxes: np.ndarray
    key: np.ndarray
    shown: np.ndarray
    actor_look: np.ndarray
    persons: tuple[Person, ...] = ()


def keyframe_schedule(
    options: VideoOptions, label: int, rng: np.random.Generator
) -> np.ndarray:
    """Class shown in each frame: few key frames, at least 3 other classes.

    The action is shown in one or two runs of `options.num_key_frames` frames in all,
    each of the other classes in one or two runs of no fewer frames.

    Args:
        options: Options of the data set.
        label: Class of the action.
        rng: Source of randomness.

    Shape:
        -> (T,) int64.

    Example:
        >>> shown = keyframe_schedule(VideoOptions(), 2, np.random.default_rng(0))
        >>> int((shown == 2).sum())
        6
    """
    T, K = options.num_frames, options.num_key_frames
    most = min(len(options.classes) - 1, (T - K) // K)
    count = rng.integers(MIN_OTHER_CLASSES, most, endpoint=True)
    others = rng.choice(
        np.delete(np.arange(len(options.classes)), label), count, replace=False
    )
    extra = rng.multinomial(T - K - count * K, np.full(count, 1 / count))
    runs = []
    for name, frames in [(label, K), *zip(others, K + extra, strict=True)]:
        cut = rng.integers(1, frames) if frames > 1 and rng.random() < 0.5 else 0
        runs += [np.full(length, name) for length in (cut, frames - cut)]
    rng.shuffle(runs)
    return np.concatenate(runs).astype(np.int64)


def pose_figure(
    options: VideoOptions,
    rng: np.random.Generator,
    poses: np.ndarray,
    root: np.ndarray,
    *,
    shown: np.ndarray,
    actor: bool,
) -> Figure:
    """Figure that takes a pose in each frame, with some spread and idle motion.

    Args:
        options: Options of the data set.
        rng: Source of randomness.
        poses: Index into `POSES` for each frame.
        root: Maps from figure units to frame pixels.
        shown: Frames in which the figure is drawn.
        actor: Whether it looks like the actor, not like a bystander.

    Shape:
        poses (T,), root (T, 2, 3), shown (T,).

    Example:
        >>> options, rng = VideoOptions(), np.random.default_rng(0)
        >>> poses, root = np.zeros(30, int), large_root(options, rng)
        >>> shown = np.ones(30, bool)
        >>> pose_figure(options, rng, poses, root, shown=shown, actor=True).boxes.shape
        (30, 4)
    """
    T = len(poses)
    table = np.array(list(POSES.values()), float)
    angles = table[poses] + (3 + 4 * options.hardness) * rng.standard_normal(9)
    rates, starts = rng.uniform(1, 3, 9), rng.uniform(0, 2 * np.pi, 9)
    time = np.arange(T)[:, None] / T
    angles += 5 * np.sin(2 * np.pi * rates * time + starts)
    return make_figure(
        rng, angles, root=root, shown=shown, actor=actor, hardness=options.hardness
    )


def large_root(options: VideoOptions, rng: np.random.Generator) -> np.ndarray:
    """Maps of a figure that fills most of the frame, near its center.

    Args:
        options: Options of the data set.
        rng: Source of randomness.

    Shape:
        -> (T, 2, 3).

    Example:
        >>> large_root(VideoOptions(), np.random.default_rng(0)).shape
        (30, 2, 3)
    """
    T, side = options.num_frames, min(options.size)
    height = side * rng.uniform(0.6, 0.78)
    center = []
    for extent, shift in zip(options.size, (0, 0.07 * height), strict=True):
        slack = 0.07 * side
        middle = extent / 2 + shift
        center.append(wander(rng, T, low=middle - slack, high=middle + slack))
    return place(options, rng, center, height=height)


def place(
    options: VideoOptions,
    rng: np.random.Generator,
    center: list[np.ndarray],
    *,
    height: float,
) -> np.ndarray:
    """Maps of a figure that follows a path, sways, shakes and may be mirrored.

    Args:
        options: Options of the data set.
        rng: Source of randomness.
        center: Horizontal and vertical position of the pelvis, pixels.
        height: Standing height in pixels.

    Shape:
        each of center (T,) -> (T, 2, 3).

    Example:
        >>> middle = [np.full(30, 32.0)] * 2
        >>> place(VideoOptions(), np.random.default_rng(0), middle, height=40.0).shape
        (30, 2, 3)
    """
    T = options.num_frames
    shake = 0.5 * options.hardness * rng.standard_normal((2, T))
    root = similarity(
        center[0] + shake[0],
        center[1] + shake[1],
        scale=height * wander(rng, T, low=0.95, high=1.05),
        angle=wander(rng, T, low=-0.12, high=0.12),
    )
    return root @ MIRROR if rng.random() < 0.5 else root


def wander(
    rng: np.random.Generator, num_frames: int, *, low: float, high: float
) -> np.ndarray:
    """Slow sine wave between two values, with a random rate and start.

    Args:
        rng: Source of randomness.
        num_frames: T.
        low: Smallest value.
        high: Largest value.

    Shape:
        -> (T,).

    Example:
        >>> wave = wander(np.random.default_rng(0), 5, low=2.0, high=3.0)
        >>> bool(wave.min() >= 2)
        True
    """
    rate, start = rng.uniform(0.2, 0.8), rng.uniform(0, 2 * np.pi)
    wave = np.sin(2 * np.pi * rate * np.arange(num_frames) / num_frames + start)
    return low + (high - low) * (wave + 1) / 2


def clip_boxes(options: VideoOptions, boxes: np.ndarray) -> np.ndarray:
    """Boxes cut at the borders of the frame.

    Args:
        options: Options of the data set.
        boxes: x1, y1, x2, y2 in pixels.

    Shape:
        (T, 4) -> (T, 4).

    Example:
        >>> clip_boxes(VideoOptions(), np.array([[-3.0, 5.0, 20.0, 70.0]])).tolist()
        [[0.0, 5.0, 20.0, 64.0]]
    """
    width, height = options.size
    return np.clip(boxes, 0, [width, height, width, height])
