"""Several persons, whose labels depend on each other and on objects at hand."""

import cv2
import numpy as np

from mmattn.synthetic.backdrop import centered, make_backdrop
from mmattn.synthetic.figure import Figure, make_figure
from mmattn.synthetic.options import VideoOptions
from mmattn.synthetic.scene import (
    SUPERSAMPLE,
    Layer,
    Person,
    capsule_texture,
    color,
    smooth_noise,
)
from mmattn.synthetic.staging import Scene, clip_boxes, place

SPEEDS = ('slow', 'fast')
OBJECTS = ('wheel', 'crate')
CYCLES = {'slow': (0.025, 0.035), 'fast': (0.1, 0.13)}  # of the arms, per frame
# Sizes and distances as fractions of the standing height.
WIDTHS = {'slow': 0.62, 'fast': 0.62, 'wheel': 0.34, 'crate': 0.34}
GAP, MARGIN = 0.45, 0.15
FEET, OBJECT_RADIUS = 0.44, 0.15
BASE = np.array([0, 75, 90, 75, 90, 8, 6, 8, 6], float)  # as in `POSES`
SWING = np.array([8, 55, 60, 55, 60, 0, 0, 0, 0], float)

Group = tuple[str, ...]  # a speed or an object, and what stands beside it


def interaction_scene(
    options: VideoOptions, label: int, rng: np.random.Generator
) -> Scene:
    """Scene of preset 'interaction': persons and objects, some of them side by side.

    All persons swing their arms, slowly or fast. What stands beside a person adds a
    label: an object, or a person by the speed of that other person's arms. An object
    far from everybody is there too, so that only the place tells what counts. The
    first person has the label of the clip.

    Args:
        options: Options of the data set.
        label: Class of the first person.
        rng: Source of randomness.

    Example:
        >>> options = VideoOptions(preset='interaction')
        >>> scene = interaction_scene(options, 2, np.random.default_rng(0))
        >>> scene.persons[0].labels[-1], options.classes[2]
        (2, 'use_wheel')
    """
    T = options.num_frames
    groups = cast_groups(options.classes[label], rng)
    places, stature = _places(options, groups, rng)
    warm = rng.random(3) < 0.5  # looks of up to three persons
    layers, figures = make_backdrop(options, rng), []
    persons: list[Person] = []
    for group, centers in zip(groups, places, strict=True):
        for k, (item, center) in enumerate(zip(group, centers, strict=True)):
            if item in OBJECTS:
                layers.append(_object(options, rng, item, center, stature))
                continue
            look = bool(warm[len(persons)])
            figure = _person(options, rng, item, center, stature, actor=look)
            boxes = clip_boxes(options, figure.boxes).astype(np.float32)
            figures += figure.layers
            beside = group[1 - k] if len(group) > 1 else None
            persons.append(Person(boxes, labels_of(item, beside, options.classes)))
    key = np.ones(T, bool)
    return Scene(
        layers + figures,
        persons[0].boxes,
        key=key,
        shown=np.full(T, label),
        actor_look=np.full(T, warm[0]),
        persons=tuple(persons),
    )


def cast_groups(name: str, rng: np.random.Generator) -> list[Group]:
    """Who stands beside whom: the first person's group, a second one, an object.

    Args:
        name: Class of the first person.
        rng: Source of randomness.

    Example:
        >>> groups = cast_groups('use_crate', np.random.default_rng(0))
        >>> groups[0][1], len(groups[2])
        ('crate', 1)
    """
    speed, second = map(str, rng.choice(SPEEDS, 2))
    stray = str(rng.choice(OBJECTS))
    beside = str(rng.choice(['', *SPEEDS, *OBJECTS]))
    verb, _, rest = name.partition('_')
    if verb == 'move':
        speed = 'slow' if rest == 'slowly' else rest
    else:
        beside = rest.removesuffix('_person')
    at_hand = str(rng.choice(['', *OBJECTS]))
    groups = [(speed, beside), (second, at_hand), (stray,)]
    return [tuple(item for item in group if item) for group in groups]


def labels_of(
    speed: str, beside: str | None, classes: tuple[str, ...]
) -> tuple[int, ...]:
    """Labels of a person.

    Args:
        speed: 'slow' or 'fast'.
        beside: Object or speed of the person beside it, None if nothing is.
        classes: Names of the classes; labels of others are left out.

    Example:
        >>> labels_of('slow', 'fast', ('move_slowly', 'move_fast', 'join_fast_person'))
        (0, 2)
    """
    names = ['move_slowly' if speed == 'slow' else 'move_fast']
    if beside is not None:
        names.append(f'use_{beside}' if beside in OBJECTS else f'join_{beside}_person')
    return tuple(classes.index(name) for name in names if name in classes)


def _places(
    options: VideoOptions, groups: list[Group], rng: np.random.Generator
) -> tuple[list[list[tuple[float, float]]], float]:
    """Pelvis of each person or middle of each object, and the persons' height."""
    width, height = options.size
    units = [sum(WIDTHS[item] for item in group) for group in groups]
    total = sum(units) + GAP * (len(groups) - 1) + 2 * MARGIN
    stature = min(rng.uniform(0.36, 0.44) * height, width / total)
    slack = rng.dirichlet(np.ones(len(groups) + 1)) * (width / stature - total)
    places: list[list[tuple[float, float]]] = [[] for _ in groups]
    x = MARGIN
    for k, space in zip(rng.permutation(len(groups)), slack, strict=False):
        x += space
        y = rng.uniform(0.65 * stature, height - 0.5 * stature)
        left_to_right = rng.random() < 0.5
        passed = 0.0
        for item in groups[k]:
            middle = passed + WIDTHS[item] / 2
            middle = middle if left_to_right else units[k] - middle
            places[k].append((stature * (x + middle), y))
            passed += WIDTHS[item]
        x += units[k] + GAP
    return places, stature


def _person(
    options: VideoOptions,
    rng: np.random.Generator,
    speed: str,
    center: tuple[float, float],
    stature: float,
    *,
    actor: bool,
) -> Figure:
    T = options.num_frames
    time = rng.uniform(*CYCLES[speed]) * np.arange(T) + rng.random()
    angles = BASE + SWING * np.sin(2 * np.pi * time)[:, None]  # (T, 9)
    angles += (3 + 4 * options.hardness) * rng.standard_normal(9)
    return make_figure(
        rng,
        angles,
        root=place(
            options, rng, [np.full(T, value) for value in center], height=stature
        ),
        shown=np.ones(T, bool),
        actor=actor,
        hardness=options.hardness,
    )


def _object(
    options: VideoOptions,
    rng: np.random.Generator,
    name: str,
    center: tuple[float, float],
    stature: float,
) -> Layer:
    """Object that stands on the ground of the persons beside it."""
    T, radius = options.num_frames, OBJECT_RADIUS * stature
    x, y = center
    ground = np.full(T, y + FEET * stature - radius)
    maps = place(options, rng, [np.full(T, x), ground], height=1 / SUPERSAMPLE)
    texture = TEXTURES[name](rng, SUPERSAMPLE * radius)
    return Layer(texture, centered(maps, texture), np.ones(T, bool))


def _wheel(rng: np.random.Generator, radius: float) -> np.ndarray:
    dark = color(rng.random(), 0.3, rng.uniform(0.15, 0.3))
    texture, start = capsule_texture(rng, 0.0, radius=radius, rgb=dark)
    hub = tuple(int(value) for value in np.rint(start))
    cv2.circle(texture, hub, int(radius / 2), (235, 235, 235, 255), cv2.FILLED)
    return texture


def _crate(rng: np.random.Generator, radius: float) -> np.ndarray:
    side = round(2 * radius)
    shade = 0.9 + 0.2 * smooth_noise(rng, (side, side), cells=4)
    wood = color(rng.uniform(0.07, 0.12), 0.6, rng.uniform(0.5, 0.75))
    texture = np.dstack([wood * shade, np.full((side, side), 255)]).astype(np.float32)
    dark = (*(0.35 * wood).tolist(), 255.0)
    last = side - 1
    cv2.rectangle(texture, (0, 0), (last, last), dark, 2)
    cv2.line(texture, (0, 0), (last, last), dark, 2)
    return texture


TEXTURES = dict(wheel=_wheel, crate=_crate)
