"""Attention for video action recognition, as a plugin of MMAction2.

Importing :mod:`mmattn` registers nothing by itself: our registries find their
modules when a config first names one of them (``type='mmattn.X'``).  It only
repairs the installed stack (:mod:`mmattn.compat`), which has to happen before
``mmaction.models`` is imported.
"""

from importlib import import_module
from typing import Any

from mmattn.compat import repair_stack
from mmattn.version import __version__

repair_stack()

# What is public at the top: its module is imported when a name is first asked for.
PUBLIC = {
    'attention_rows': 'mmattn.attention.capture',
    'capture_attention': 'mmattn.attention.capture',
    'compare': 'mmattn.comparison.compare',
    'emit_attention': 'mmattn.attention.capture',
    'load': 'mmattn.front.model',
    'train': 'mmattn.front.train',
}

__all__ = ['__version__', *PUBLIC]


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return getattr(import_module(PUBLIC[name]), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted({*globals(), *PUBLIC})
