"""The presets: what happens in a clip of each kind."""

from collections.abc import Callable

import numpy as np

from mmattn.synthetic.backdrop import limb_clutter, make_backdrop
from mmattn.synthetic.figure import POSES, Figure
from mmattn.synthetic.interaction import interaction_scene
from mmattn.synthetic.motion import motion_phases
from mmattn.synthetic.options import SPLITS, VideoOptions
from mmattn.synthetic.scene import Clip, Layer, render_layers, similarity
from mmattn.synthetic.staging import (
    Scene,
    clip_boxes,
    keyframe_schedule,
    large_root,
    place,
    pose_figure,
    wander,
)
from mmattn.utils.arguments import require_choice


def render_clip(options: VideoOptions, split: str, index: int) -> Clip:
    """Render one clip; the same arguments always give the same clip.

    Its label is `index` modulo the number of classes.

    Args:
        options: Options of the data set.
        split: 'train', 'val' or 'test'.
        index: Number of the clip in its split, at least 0.

    Raises:
        ValueError: If there is no such split or the index is negative.

    Example:
        >>> clip = render_clip(VideoOptions(num_classes=5), 'val', 7)
        >>> clip.frames.shape, clip.label
        ((30, 64, 64, 3), 2)
    """
    require_choice('split', split, SPLITS)
    if index < 0:
        raise ValueError(f'index: expected at least 0, got {index}')
    label = index % len(options.classes)
    rng = np.random.default_rng([options.seed, SPLITS.index(split), index])
    scene = PRESETS[options.preset](options, label, rng)
    frames, ids = render_layers(scene.layers, options.size)
    noise = rng.standard_normal(frames.shape, np.float32)
    frames += 16 * options.hardness * noise
    return Clip(
        frames=np.clip(np.rint(frames), 0, 255).astype(np.uint8),
        label=label,
        boxes=scene.boxes.astype(np.float32),
        key=scene.key,
        shown=scene.shown,
        actor_look=scene.actor_look,
        ids=ids,
        layers=scene.layers,
        persons=scene.persons,
    )


def motion_scene(options: VideoOptions, label: int, rng: np.random.Generator) -> Scene:
    """Scene of preset 'motion': a figure in some pose, moved by its class's pattern.

    Args:
        options: Options of the data set.
        label: Class.
        rng: Source of randomness.

    Example:
        >>> options = VideoOptions(preset='motion')
        >>> len(motion_scene(options, 0, np.random.default_rng(0)).shown)
        30
    """
    T, side = options.num_frames, min(options.size)
    phases = motion_phases(rng, options.classes[label], num_frames=T)
    orbit = 2 * np.pi * phases['orbit']
    radius = side * rng.uniform(0.08, 0.13)
    center = [
        extent / 2 + side * 0.32 * (phases[axis] - 0.5) + radius * turn(orbit)
        for extent, axis, turn in zip(options.size, 'xy', (np.cos, np.sin), strict=True)
    ]
    root = similarity(
        *center,
        scale=side * 0.34 * 2 ** (phases['size'] - 0.5),
        angle=2 * np.pi * phases['spin'] + 1.2 * (phases['tilt'] - 0.5),
    )
    poses = np.full(T, rng.integers(len(POSES)))
    figure = pose_figure(options, rng, poses, root, shown=np.ones(T, bool), actor=True)
    return _single(options, make_backdrop(options, rng), figure, label=label)


def trimmed_scene(options: VideoOptions, label: int, rng: np.random.Generator) -> Scene:
    """Scene of preset 'trimmed': the pose in every frame, by actor or bystander.

    Args:
        options: Options of the data set.
        label: Class.
        rng: Source of randomness.

    Example:
        >>> scene = trimmed_scene(VideoOptions(), 4, np.random.default_rng(0))
        >>> set(scene.shown.tolist())
        {4}
    """
    T = options.num_frames
    actor = bool(rng.random() < 0.5)
    backdrop = make_backdrop(options, rng)
    figure = pose_figure(
        options,
        rng,
        np.full(T, label),
        large_root(options, rng),
        shown=np.ones(T, bool),
        actor=actor,
    )
    return _single(options, backdrop, figure, label=label, actor=actor)


def keyframes_scene(
    options: VideoOptions, label: int, rng: np.random.Generator
) -> Scene:
    """Scene of preset 'keyframes': few frames of the actor among a bystander's.

    Args:
        options: Options of the data set.
        label: Class.
        rng: Source of randomness.

    Example:
        >>> scene = keyframes_scene(VideoOptions(), 4, np.random.default_rng(0))
        >>> int(scene.key.sum())
        6
    """
    shown = keyframe_schedule(options, label, rng)
    key = shown == label
    backdrop = make_backdrop(options, rng)
    actor, bystander = (
        pose_figure(
            options, rng, poses, large_root(options, rng), shown=visible, actor=warm
        )
        for poses, visible, warm in (
            (np.full_like(shown, label), key, True),
            (shown, ~key, False),
        )
    )
    boxes = clip_boxes(options, actor.boxes)
    boxes[~key] = np.nan
    layers = backdrop + bystander.layers + actor.layers
    return Scene(layers, boxes, key=key, shown=shown, actor_look=key)


def small_scene(options: VideoOptions, label: int, rng: np.random.Generator) -> Scene:
    """Scene of preset 'small': a small actor's pose among loose limbs like its own.

    Args:
        options: Options of the data set.
        label: Class.
        rng: Source of randomness.

    Example:
        >>> options = VideoOptions(preset='small', num_frames=5)
        >>> len(small_scene(options, 4, np.random.default_rng(0)).key)
        5
    """
    T, side = options.num_frames, min(options.size)
    height = side * rng.uniform(0.24, 0.3)
    margin = 0.7 * height
    center = [
        wander(rng, T, low=margin, high=extent - margin) for extent in options.size
    ]
    root = place(options, rng, center, height=height)
    backdrop = make_backdrop(options, rng)
    backdrop += limb_clutter(options, rng, height=height)
    figure = pose_figure(
        options, rng, np.full(T, label), root, shown=np.ones(T, bool), actor=True
    )
    return _single(options, backdrop, figure, label=label)


PRESETS: dict[str, Callable[[VideoOptions, int, np.random.Generator], Scene]] = {
    'motion': motion_scene,
    'keyframes': keyframes_scene,
    'trimmed': trimmed_scene,
    'small': small_scene,
    'interaction': interaction_scene,
}


def _single(
    options: VideoOptions,
    backdrop: list[Layer],
    figure: Figure,
    *,
    label: int,
    actor: bool = True,
) -> Scene:
    T = options.num_frames
    return Scene(
        backdrop + figure.layers,
        clip_boxes(options, figure.boxes),
        key=np.ones(T, bool),
        shown=np.full(T, label),
        actor_look=np.full(T, actor),
    )
