"""Registries of mmattn, children of MMEngine's root registries.

A child of the root resolves as ``type='mmattn.X'`` from every scope: under
``default_scope='mmaction'`` and inside ``_scope_='mmdet'`` detectors.  The
modules in ``locations`` are imported the first time that a name is looked up.

Every class that is registered here checks its arguments against its annotations
(:mod:`mmattn.signatures`).
"""

import inspect
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATA_SAMPLERS as ROOT_DATA_SAMPLERS
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import LOOPS as ROOT_LOOPS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as ROOT_OPTIM_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as ROOT_OPTIM_WRAPPERS
from mmengine.registry import TASK_UTILS as ROOT_TASK_UTILS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import Registry

from mmattn.signatures import check_config, checked

SCOPE = 'mmattn'


class CheckedRegistry(Registry):
    """Registry of classes that check their arguments when they are built."""

    def _register_module(self, module: Any, *args: Any, **options: Any) -> None:
        if inspect.isclass(module):
            checked(module)
        super()._register_module(module, *args, **options)


def _child(name: str, parent: Registry, location: str) -> Registry:
    return CheckedRegistry(name, parent=parent, scope=SCOPE, locations=[location])


MODELS = _child('model', ROOT_MODELS, 'mmattn.models')
TASK_UTILS = _child('task util', ROOT_TASK_UTILS, 'mmattn.models')
DATASETS = _child('dataset', ROOT_DATASETS, 'mmattn.datasets')
DATA_SAMPLERS = _child('data sampler', ROOT_DATA_SAMPLERS, 'mmattn.datasets')
TRANSFORMS = _child('transform', ROOT_TRANSFORMS, 'mmattn.datasets')
METRICS = _child('metric', ROOT_METRICS, 'mmattn.evaluation')
HOOKS = _child('hook', ROOT_HOOKS, 'mmattn.engine')
LOOPS = _child('loop', ROOT_LOOPS, 'mmattn.engine')
OPTIM_WRAPPERS = _child('optim_wrapper', ROOT_OPTIM_WRAPPERS, 'mmattn.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    'optimizer wrapper constructor', ROOT_OPTIM_CONSTRUCTORS, 'mmattn.engine'
)
REGISTRIES = tuple(x for x in vars().copy().values() if isinstance(x, CheckedRegistry))


def find_class(name: str) -> type | None:
    """Return a class of ours by its name in configs.

    Args:
        name: Such as ``'mmattn.STBTA'``; names of other scopes are not ours.

    Example:
        >>> find_class('mmattn.SampleWindows').__name__
        'SampleWindows'
        >>> find_class('SampleFrames') is None
        True
    """
    scope, _, name = name.rpartition('.')
    if scope != SCOPE:
        return None
    return next(filter(None, (registry.get(name) for registry in REGISTRIES)), None)


def check_arguments(config: Any) -> None:
    """Check the arguments of every component of ours that a config names.

    Args:
        config: Config, or a part of one.

    Raises:
        TypeError: Naming the key in the config, if a value is of another type than the
            argument, or there is no such argument.
        ValueError: The same, if it is out of the argument's range.

    Example:
        >>> hook = dict(type='mmattn.DivergenceHook', patience='3')
        >>> check_arguments({'hook': hook})
        Traceback (most recent call last):
        ...
        TypeError: hook.patience: expected int at least 1, got '3'
    """
    check_config(config.to_dict() if isinstance(config, Config) else config, find_class)
