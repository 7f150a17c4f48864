"""Motion patterns that no single frame reveals."""

import numpy as np

# Coordinate that moves, and how: a 'sweep' runs through its range in one sense and
# starts again at the other end, a 'swing' goes to and fro.
MOTIONS = {
    'move_right': ('x', 'sweep', 1),
    'move_left': ('x', 'sweep', -1),
    'move_down': ('y', 'sweep', 1),
    'move_up': ('y', 'sweep', -1),
    'circle_clockwise': ('orbit', 'sweep', 1),
    'circle_anticlockwise': ('orbit', 'sweep', -1),
    'oscillate_horizontally': ('x', 'swing', 1),
    'oscillate_vertically': ('y', 'swing', 1),
    'grow': ('size', 'sweep', 1),
    'shrink': ('size', 'sweep', -1),
    'rotate_clockwise': ('spin', 'sweep', 1),
    'rotate_anticlockwise': ('spin', 'sweep', -1),
    'pulse': ('size', 'swing', 1),
    'rock': ('tilt', 'swing', 1),
}
AXES = ('x', 'y', 'orbit', 'size', 'spin', 'tilt')


def motion_phases(
    rng: np.random.Generator, name: str, *, num_frames: int
) -> dict[str, np.ndarray]:
    """Coordinates of a figure in [0, 1], of which the class moves one.

    In every class and in every frame all coordinates are independent and uniform,
    so that a single frame holds no information on the class: a sweep adds a constant
    speed modulo 1 to a uniform start, and a swing is a triangle wave of it.

    Args:
        rng: Source of randomness.
        name: Key of `MOTIONS`.
        num_frames: T.

    Shape:
        each coordinate (T,).

    Example:
        >>> phases = motion_phases(np.random.default_rng(0), 'grow', num_frames=5)
        >>> sorted(name for name, values in phases.items() if np.ptp(values) > 0)
        ['size']
    """
    phases = {axis: np.full(num_frames, rng.random()) for axis in AXES}
    axis, kind, sense = MOTIONS[name]
    time = np.arange(num_frames) / num_frames
    cycles = rng.uniform(1.0, 1.4) if kind == 'sweep' else rng.uniform(1.8, 2.6)
    moving = (phases[axis] + sense * cycles * time) % 1
    phases[axis] = moving if kind == 'sweep' else 1 - np.abs(2 * moving - 1)
    return phases
