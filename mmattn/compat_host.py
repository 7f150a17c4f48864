"""Repairs of MMAction2's modules, made when each is first imported.

Importing :mod:`mmattn` must stay light, and most of these modules are never used in
a process.  So :func:`repair_on_import` only puts a finder before Python's own, which
runs the repair of a module right after the module.
"""

import contextlib
import importlib.abc
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import numpy as np


def replaces(owner: Any, name: str) -> Callable[[Callable], None]:
    """Put a function in the place of another one, once.

    Args:
        owner: Class or module that has the other one.
        name: Its name there.

    Returns:
        Decorator of the new function, which gets the other one before the arguments.

    Example:
        >>> class Door:
        ...     def say(self):
        ...         return 'open'
        >>> @replaces(Door, 'say')
        ... def say(original, self):
        ...     return f'{original(self)} wide'
        >>> Door().say()
        'open wide'
    """

    def replace(function: Callable) -> None:
        original = getattr(owner, name)
        if hasattr(original, '_mmattn_replaced'):
            return

        @wraps(original)
        def replacement(*args: Any, **kwargs: Any) -> Any:
            return function(original, *args, **kwargs)

        replacement._mmattn_replaced = True  # type: ignore[attr-defined]
        setattr(owner, name, replacement)

    return replace


class OlderNumpy(ModuleType):
    """NumPy with the names that it has dropped; what it still has comes first.

    It takes the place of ``np`` in the modules of others that use such names.  NumPy
    itself stays as it is: names added there would hide the same fault in the code of
    everybody else.
    """

    def __init__(self) -> None:
        super().__init__('numpy')

    def __getattr__(self, name: str) -> Any:
        dropped = dict(Inf=np.inf, NAN=np.nan, in1d=_in1d)
        if hasattr(np, name) or name not in (*dropped, 'trapz'):
            return getattr(np, name)
        return np.trapezoid if name == 'trapz' else dropped[name]


def _in1d(values: Any, test_values: Any) -> np.ndarray:
    return np.isin(np.ravel(values), test_values)


def serve_dropped_names(module: ModuleType) -> None:
    """Serve ``np.Inf``, ``np.NAN``, ``np.trapz`` and ``np.in1d`` to one module.

    Args:
        module: A module that knows NumPy as ``np``.
    """
    if not all(hasattr(np, name) for name in ('Inf', 'NAN', 'in1d', 'trapz')):
        module.np = OlderNumpy()  # type: ignore[attr-defined]


def keep_numpy_bool(module: ModuleType) -> None:
    """Keep ``ImgAug`` from setting ``np.bool = bool`` for the whole process.

    NumPy 2 uses that name itself: ``numpy.testing``, for one, breaks.

    Args:
        module: ``mmaction.datasets.transforms.wrappers``.
    """
    if 'bool' in vars(np):  # older ones warn of hasattr
        module.np = OlderNumpy()  # type: ignore[attr-defined]


def shift_hue_either_way(module: ModuleType) -> None:
    """Let ``ColorJitter`` lower the hue.

    It adds a negative number to ``uint8``, which NumPy 2 refuses.

    Args:
        module: ``mmaction.datasets.transforms.processing``.
    """
    jitter = module.ColorJitter
    try:
        jitter.adjust_hue(np.zeros((1, 1, 3), np.uint8), -0.5)
    except OverflowError:
        pass
    else:
        return
    import cv2

    def adjust_hue(img: np.ndarray, factor: float) -> np.ndarray:
        hsv = cv2.cvtColor(np.clip(img, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + int(factor * 255)) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)

    jitter.adjust_hue = staticmethod(adjust_hue)


class _OneInteger(int):
    """``int`` that also takes an array of one number; NumPy allowed that once."""

    def __new__(cls, value: Any = 0) -> int:  # type: ignore[misc]
        return int(value.item() if isinstance(value, np.ndarray) else value)


def take_arrays_of_one(module: ModuleType) -> None:
    """Let the MultiSports evaluation make integers of arrays of one number.

    Args:
        module: ``mmaction.evaluation.functional.multisports_utils``.
    """
    module.int = _OneInteger  # type: ignore[attr-defined]


@contextlib.contextmanager
def _moviepy_editor() -> Iterator[None]:
    """Provide ``moviepy.editor`` where moviepy 2 is installed, which has none."""
    name = 'moviepy.editor'
    try:
        import moviepy
    except ImportError:
        yield  # the caller says that it is missing
        return
    if not hasattr(moviepy, 'ImageSequenceClip'):  # moviepy 1 has the real one
        yield
        return

    class ImageSequenceClip(moviepy.ImageSequenceClip):
        def write_gif(self, filename: str, verbose: Any = None, **kwargs: Any) -> None:
            super().write_gif(filename, **kwargs)  # moviepy 2 has no `verbose`

    editor: Any = ModuleType(name)
    editor.ImageSequenceClip = ImageSequenceClip
    sys.modules[name] = editor
    try:
        yield
    finally:
        sys.modules.pop(name, None)


def write_videos_with_moviepy_2(module: ModuleType) -> None:
    """Let the visualizer write GIFs, videos and TensorBoard's videos.

    They import ``moviepy.editor``, which moviepy 2 has not.  TensorBoard's writer then
    only prints so and writes nothing.

    Args:
        module: ``mmaction.visualization.video_backend``.
    """
    for backend in (module.LocalVisBackend, module.TensorboardVisBackend):
        replaces(backend, 'add_video')(_with_editor)


def _with_editor(original: Callable, *args: Any, **kwargs: Any) -> Any:
    with _moviepy_editor():
        return original(*args, **kwargs)


REPAIRS: dict[str, Callable[[ModuleType], None]] = {
    'mmaction.datasets.transforms.pose_transforms': serve_dropped_names,
    'mmaction.datasets.transforms.processing': shift_hue_either_way,
    'mmaction.datasets.transforms.wrappers': keep_numpy_bool,
    'mmaction.evaluation.functional.accuracy': serve_dropped_names,
    'mmaction.evaluation.functional.ava_evaluation.metrics': serve_dropped_names,
    'mmaction.evaluation.functional.multisports_utils': take_arrays_of_one,
    'mmaction.evaluation.metrics.multimodal_metric': serve_dropped_names,
    'mmaction.utils.misc': serve_dropped_names,
    'mmaction.visualization.video_backend': write_videos_with_moviepy_2,
}
"""The repair of each module."""


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of ``REPAIRS`` as Python does, and repairs them when run."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in REPAIRS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_repair(module: ModuleType) -> None:
            run(module)
            REPAIRS[fullname](module)

        spec.loader.exec_module = run_and_repair  # type: ignore[method-assign]
        return spec


def repair_on_import() -> None:
    """Repair each module of ``REPAIRS`` when it is imported, or now if it was."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder())
    for name, repair in REPAIRS.items():
        if name in sys.modules:
            repair(sys.modules[name])
