"""Articulated figure: its poses, its limbs and the two looks that it can have."""

from dataclasses import dataclass

import cv2
import numpy as np

from mmattn.synthetic.scene import (
    SUPERSAMPLE,
    Layer,
    capsule_texture,
    color,
    compose,
)

# Length of the axis and radius, as fractions of the standing height.
LIMBS = {
    'thigh': (0.22, 0.055),
    'shin': (0.22, 0.045),
    'torso': (0.28, 0.085),
    'head': (0.0, 0.09),
    'upper': (0.17, 0.043),
    'fore': (0.17, 0.038),
    'ball': (0.0, 0.06),
}
HIP, SHOULDER, NECK = 0.05, 0.095, 0.12

# Degrees.  The first number leans the torso to one side.  Then upper arm and
# forearm of either arm, thigh and shin of either leg: 0 hangs down, 90 points
# outward, 180 points up.  No pose is the mirror image of another one.
POSES = {
    'arms_up': (0, 168, 174, 168, 174, 8, 6, 8, 6),
    't_pose': (0, 90, 90, 90, 90, 8, 6, 8, 6),
    'hands_on_hips': (0, 62, -58, 62, -58, 14, 10, 14, 10),
    'star': (0, 132, 132, 132, 132, 42, 42, 42, 42),
    'one_arm_up': (0, 174, 174, 8, 4, 8, 6, 8, 6),
    'scarecrow': (0, 92, 0, 92, 0, 8, 6, 8, 6),
    'goal_post': (0, 88, 180, 88, 180, 8, 6, 8, 6),
    'squat': (0, 40, 20, 40, 20, 80, -8, 80, -8),
    'kick': (-12, 70, 80, 40, 30, 98, 98, 4, 2),
    'bow': (82, -78, -80, 78, 80, 6, 4, 6, 4),
    'lunge': (0, 172, 174, 60, -55, 72, 0, 48, 52),
    'diagonal': (0, 132, 132, 48, 48, 8, 6, 8, 6),
    'flamingo': (0, 90, 90, 90, 90, 70, -62, 2, 2),
    'hoop': (0, 118, 238, 118, 238, 8, 6, 8, 6),
}

WARM_HUE, COOL_HUE, HUE_SPREAD = 0.05, 0.57, 0.06


@dataclass
class Figure:
    """Layers of a figure, back to front, and the boxes around them.

    Args:
        layers: One layer for each limb and one for the ball that it holds.
        boxes: x1, y1, x2, y2 in pixels, where pixel (0, 0) covers [0, 1] x [0, 1].

    Shape:
        boxes (T, 4).

    Example:
        >>> Figure([], np.zeros((5, 4))).boxes.shape
        (5, 4)
    """

    layers: list[Layer]
    boxes: np.ndarray


def skeleton(
    angles: np.ndarray, *, ball_side: int
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, first joint and direction of every limb, in drawing order.

    The origin is the pelvis, y points downward, the standing height is about 1.

    Args:
        angles: Degrees, in the order of `POSES`.
        ball_side: Arm that holds the ball, -1 or 1.

    Shape:
        angles (T, 9); joints (T, 2), directions (T, 2) of length 1.

    Example:
        >>> limbs = skeleton(np.zeros((5, 9)), ball_side=1)
        >>> len(limbs), limbs[0][0]
        (11, 'thigh')
    """
    radians = np.deg2rad(np.asarray(angles, float))
    lean = radians[:, :1]
    up = np.hstack([np.sin(lean), -np.cos(lean)])  # (T, 2)
    across = np.hstack([np.cos(lean), np.sin(lean)])
    right, down = np.tile([1.0, 0.0], (len(up), 1)), np.tile([0.0, 1.0], (len(up), 1))
    neck = LIMBS['torso'][0] * up
    legs, arms, ball = [], [], []
    for side, arm, leg in ((-1, 1, 5), (1, 3, 7)):
        legs += _chain(
            ('thigh', 'shin'),
            side * HIP * right,
            radians[:, leg : leg + 2],
            axes=(side * right, down),
        )
        arms += _chain(
            ('upper', 'fore'),
            neck + side * SHOULDER * across,
            radians[:, arm : arm + 2],
            axes=(side * across, -up),
        )
        if side == ball_side:
            _, elbow, direction = arms[-1]
            ball = [('ball', elbow + LIMBS['fore'][0] * direction, direction)]
    torso = [('torso', np.zeros_like(up), up), ('head', neck + NECK * up, up)]
    return legs + torso + arms + ball


def _chain(
    names: tuple[str, str],
    start: np.ndarray,
    angles: np.ndarray,
    *,
    axes: tuple[np.ndarray, np.ndarray],
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    outward, down = axes
    limbs = []
    for name, angle in zip(names, angles.T[..., None], strict=True):
        direction = np.sin(angle) * outward + np.cos(angle) * down
        limbs.append((name, start, direction))
        start = start + LIMBS[name][0] * direction
    return limbs


def limb_colors(
    rng: np.random.Generator, *, actor: bool, hardness: float
) -> dict[str, np.ndarray]:
    """Colors of a figure: warm with a bright ball, or cool with a dark ball.

    Args:
        rng: Source of randomness.
        actor: Whether it is the actor, not a bystander.
        hardness: 0 gives pure colors, 1 gives colors nearer to grey.

    Shape:
        each color (3,), RGB in [0, 255].

    Example:
        >>> rng = np.random.default_rng(0)
        >>> red, _, blue = limb_colors(rng, actor=True, hardness=0.0)['thigh']
        >>> bool(red > blue)
        True
    """
    hue = WARM_HUE if actor else COOL_HUE
    saturation = 0.95 - 0.45 * hardness
    cloth = {
        part: color(
            hue + rng.uniform(-HUE_SPREAD, HUE_SPREAD),
            saturation,
            rng.uniform(0.75, 1.0),
        )
        for part in ('legs', 'torso', 'arms', 'head')
    }
    ball = color(0.15, 0.1, 1.0) if actor else color(0.6, 0.3, 0.12)
    return {
        'thigh': cloth['legs'],
        'shin': cloth['legs'],
        'torso': cloth['torso'],
        'head': cloth['head'],
        'upper': cloth['arms'],
        'fore': cloth['arms'],
        'ball': ball,
    }


def make_figure(
    rng: np.random.Generator,
    angles: np.ndarray,
    *,
    root: np.ndarray,
    shown: np.ndarray,
    actor: bool,
    hardness: float,
) -> Figure:
    """Dress a skeleton with textured limbs that breathe, and place it.

    Args:
        rng: Source of randomness.
        angles: Degrees, in the order of `POSES`.
        root: Maps from figure units (standing height 1, origin at the pelvis) to
            frame pixels, made of a rotation, a scale and possibly a mirror.
        shown: Frames in which the figure is drawn.
        actor: Whether it looks like the actor, not like a bystander.
        hardness: See `limb_colors`.

    Shape:
        angles (T, 9), root (T, 2, 3), shown (T,).

    Example:
        >>> root = np.tile([[40.0, 0, 32], [0, 40, 36]], (5, 1, 1))
        >>> rng, shown = np.random.default_rng(0), np.ones(5, bool)
        >>> figure = make_figure(
        ...     rng, np.zeros((5, 9)), root=root, shown=shown, actor=True, hardness=0.5
        ... )
        >>> len(figure.layers)
        11
    """
    T = len(angles)
    colors = limb_colors(rng, actor=actor, hardness=hardness)
    unit = np.hypot(root[:, 0, 0], root[:, 1, 0])  # pixels for each figure unit
    density = SUPERSAMPLE * unit.max()
    wave = np.sin(
        2 * np.pi * rng.uniform(1, 3, (2, 1)) * np.arange(T) / T
        + rng.uniform(0, 2 * np.pi, (2, 1))
    )
    deformation = 1 + np.array([[0.05], [0.08]]) * wave  # along and across a limb
    layers, boxes = [], []
    for name, joint, direction in skeleton(angles, ball_side=rng.choice([-1, 1])):
        length, radius = (density * size for size in LIMBS[name])
        texture, start = capsule_texture(rng, length, radius=radius, rgb=colors[name])
        if name == 'head':
            _draw_face(texture)
        maps = _limb_maps(joint, direction, deformation / density, start=start)
        maps = compose(root, maps)
        layers.append(Layer(texture, maps, shown, figure=True))
        reach = LIMBS[name][1] * unit * deformation.max(axis=0)
        boxes.append(_limb_boxes(maps, start, length=length, reach=reach))
    low, high = np.split(np.array(boxes), 2, axis=-1)
    return Figure(layers, np.hstack([low.min(axis=0), high.max(axis=0)]))


def _limb_maps(
    joint: np.ndarray, direction: np.ndarray, scale: np.ndarray, *, start: np.ndarray
) -> np.ndarray:
    normal = np.stack([-direction[:, 1], direction[:, 0]], axis=-1)
    linear = np.stack([direction, normal], axis=-1) * scale.T[:, None]  # (T, 2, 2)
    offset = joint[..., None] - linear @ start[:, None]
    return np.concatenate([linear, offset], axis=-1)


def _limb_boxes(
    maps: np.ndarray, start: np.ndarray, *, length: float, reach: np.ndarray
) -> np.ndarray:
    ends = np.array([[start[0], start[0] + length], [start[1], start[1]]])
    ends = maps[..., :2] @ ends + maps[..., 2:]  # (T, 2, ends)
    # Half a pixel turns centers into edges, one pixel is for the rounding of pixels.
    low = ends.min(axis=-1) - 0.5 - reach[:, None]
    high = ends.max(axis=-1) + 1.5 + reach[:, None]
    return np.hstack([low, high])


def _draw_face(texture: np.ndarray) -> None:
    # The x axis of the texture of the head points away from the neck.
    height, width = texture.shape[:2]
    radius = max(1, round(0.08 * height))
    for y in (0.32, 0.68):
        cv2.circle(
            texture,
            (round(0.62 * width), round(y * (height - 1))),
            radius,
            (20, 20, 20, 255),
            cv2.FILLED,
        )
