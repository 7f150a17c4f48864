"""Attention for video action recognition, as a plugin of MMAction2.

Importing :mod:`mmattn` registers nothing by itself: our registries find their
modules when a config first names one of them (``type='mmattn.X'``).  It only
repairs the installed stack (:mod:`mmattn.compat`), which has to happen before
``mmaction.models`` is imported.
"""

from mmattn.compat import repair_stack
from mmattn.version import __version__

repair_stack()

__all__ = ['__version__']
