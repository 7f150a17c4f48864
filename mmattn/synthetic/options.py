"""Options of the synthetic videos."""

from dataclasses import dataclass
from typing import Any, NoReturn

from mmattn.synthetic.figure import POSES
from mmattn.synthetic.motion import MOTIONS

SPLITS = ('train', 'val', 'test')
MAX_KEY_FRACTION = 0.2
MIN_OTHER_CLASSES = 3
# Own motion, object at hand, motion of the neighbor: see `interaction_scene`.
INTERACTIONS = (
    'move_slowly',
    'move_fast',
    'use_wheel',
    'use_crate',
    'join_slow_person',
    'join_fast_person',
)
UNREADABLE_WIDTHS = (48, 72)  # decord 0.6 fails on mp4v videos of these widths


@dataclass(frozen=True)
class PresetDefaults:
    """What a preset offers, and the options that it sets when none are given.

    Args:
        classes: Names of all its classes.
        num_classes: Default number of classes.
        clips_per_class: Default clips of each class in train, val and test.
        size: Default width and height in pixels.
        min_classes: Fewest classes with which the preset makes sense.

    Example:
        >>> PRESET_DEFAULTS['motion'].size
        (64, 64)
    """

    classes: tuple[str, ...]
    num_classes: int = 10
    clips_per_class: tuple[int, int, int] = (60, 15, 15)
    size: tuple[int, int] = (64, 64)
    min_classes: int = 2


PRESET_DEFAULTS = {
    'motion': PresetDefaults(tuple(MOTIONS)),
    'keyframes': PresetDefaults(tuple(POSES), min_classes=1 + MIN_OTHER_CLASSES),
    'trimmed': PresetDefaults(tuple(POSES)),
    'small': PresetDefaults(tuple(POSES), size=(96, 96)),
    'interaction': PresetDefaults(
        INTERACTIONS,
        num_classes=len(INTERACTIONS),
        clips_per_class=(40, 10, 10),
        size=(144, 96),
    ),
}


@dataclass(frozen=True)
class VideoOptions:
    """Options of a synthetic video data set, checked and completed.

    Args:
        preset: 'motion', 'keyframes', 'trimmed', 'small' or 'interaction'.
        num_classes: Number of classes; None takes the preset's default.
        clips_per_class: Clips of each class by split, such as
            `dict(train=60, val=15, test=15)`; splits left out get none.
            None takes the preset's default.
        num_frames: Frames in a clip, at least 2.
        size: Width and height in pixels, even, at least 32; None takes the
            preset's default.
        hardness: 0 (clean) to 1: pixel noise, moving clutter, background drift,
            shaking, spread of the poses and paleness of the colors grow with it.
        seed: Seed of the whole data set, at least 0.
        key_fraction: Largest fraction of frames that carry the action in preset
            'keyframes', above 0 and at most 0.2.
        save_flow: Whether the files of the ground truth hold the optical flow.
        fps: Frame rate written into the files; preset 'interaction' has ground
            truth at whole seconds from 1 on.

    Raises:
        ValueError: If an option is not as described.

    Example:
        >>> VideoOptions(preset='small', clips_per_class=dict(train=2)).size
        (96, 96)
    """

    preset: str = 'keyframes'
    num_classes: int = None  # type: ignore[assignment]  # completed below
    clips_per_class: dict[str, int] = None  # type: ignore[assignment]
    num_frames: int = 30
    size: tuple[int, int] = None  # type: ignore[assignment]
    hardness: float = 0.5
    seed: int = 0
    key_fraction: float = MAX_KEY_FRACTION
    save_flow: bool = False
    fps: int = 15

    def __post_init__(self) -> None:
        if self.preset not in PRESET_DEFAULTS:
            _fail('preset', f'one of {sorted(PRESET_DEFAULTS)}', self.preset)
        defaults = PRESET_DEFAULTS[self.preset]
        if self.num_classes is None:
            object.__setattr__(self, 'num_classes', defaults.num_classes)
        if self.clips_per_class is None:
            clips = dict(zip(SPLITS, defaults.clips_per_class, strict=True))
            object.__setattr__(self, 'clips_per_class', clips)
        size = defaults.size if self.size is None else self.size
        if not isinstance(size, (tuple, list)) or len(size) != 2:
            _fail('size', 'two numbers (width, height)', size)
        object.__setattr__(self, 'size', tuple(size))
        self._check(defaults)
        self._check_size()

    def _check(self, defaults: PresetDefaults) -> None:
        low, high = defaults.min_classes, len(defaults.classes)
        _check_int('num_classes', self.num_classes, low, high)
        _check_int('num_frames', self.num_frames, 2)
        _check_int('seed', self.seed, 0)
        _check_int('fps', self.fps, 1)
        if not isinstance(self.clips_per_class, dict):
            _fail('clips_per_class', 'a dict by split', self.clips_per_class)
        for split, clips in self.clips_per_class.items():
            if split not in SPLITS:
                _fail('clips_per_class', f'splits out of {SPLITS}', split)
            _check_int(f'clips_per_class[{split!r}]', clips, 0)
        if not _is_real(self.hardness) or not 0 <= self.hardness <= 1:
            _fail('hardness', 'a number in [0, 1]', self.hardness)
        fraction = self.key_fraction
        if not _is_real(fraction) or not 0 < fraction <= MAX_KEY_FRACTION:
            _fail('key_fraction', f'a number in (0, {MAX_KEY_FRACTION}]', fraction)
        if self.preset == 'keyframes' and self.num_key_frames < 1:
            expected = f'at least 1 / key_fraction = {1 / fraction:g} frames'
            _fail('num_frames', expected, self.num_frames)
        if self.preset == 'interaction' and self.num_frames <= self.fps:
            expected = f'more frames than fps = {self.fps}'
            _fail('num_frames', expected, self.num_frames)

    def _check_size(self) -> None:
        for side in self.size:
            _check_int('size', side, 32)
            if side % 2:
                _fail('size', 'even numbers', self.size)
        if self.size[0] in UNREADABLE_WIDTHS:
            _fail('size', f'a width other than {UNREADABLE_WIDTHS}', self.size)

    @property
    def num_key_frames(self) -> int:
        """Frames that carry the action in preset 'keyframes'."""
        return int(self.key_fraction * self.num_frames + 1e-9)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; the index is the label."""
        return PRESET_DEFAULTS[self.preset].classes[: self.num_classes]


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_int(name: str, value: Any, low: int, high: int | None = None) -> None:
    expected = f'an integer of at least {low}'
    if high is not None:
        expected += f' and at most {high}'
    if not isinstance(value, int) or isinstance(value, bool):
        _fail(name, expected, value)
    if value < low or (high is not None and value > high):
        _fail(name, expected, value)


def _fail(name: str, expected: str, got: Any) -> NoReturn:
    raise ValueError(f'{name}: expected {expected}, got {got!r}')
