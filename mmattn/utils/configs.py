"""Configs: where ours lie, what they ask for, and which official split they name."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SPLIT_VARIABLE = 'MMATTN_SPLIT'


def configs_root() -> Path:
    """Return the folder of our configs, in a checkout or an installed package."""
    package = Path(__file__).resolve().parent.parent
    installed = package / '.mim' / 'configs'
    return installed if installed.is_dir() else package.parent / 'configs'


def host_configs_root() -> Path | None:
    """Return the folder of MMAction2's configs; None if it is not installed."""
    spec = find_spec('mmaction')
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / '.mim' / 'configs'
    return folder if folder.is_dir() else None


def find_config(name: str | Path) -> Path:
    """Return the path of a config: itself, or that of ours or the host's of this name.

    ``mim train`` and ``mim test`` find our configs by name, ``mim run`` does not.

    Args:
        name: Path, or basename with or without ``.py``.

    Raises:
        ValueError: If there is no such file here, among our configs nor MMAction2's.

    Example:
        >>> find_config('default_runtime.py').parent.name
        '_base_'
        >>> tsn = 'tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb'
        >>> find_config(tsn).parent.name
        'tsn'
    """
    if Path(name).is_file():
        return Path(name)
    wanted = Path(name).name
    wanted = wanted if wanted.endswith('.py') else f'{wanted}.py'
    near: list[str] = []
    for root in filter(None, (configs_root(), host_configs_root())):
        found = sorted(root.rglob(wanted))
        if len(found) == 1:
            return found[0]
        near += get_close_matches(wanted, (p.name for p in root.rglob('*.py')), 1)
    hint = f'; did you mean {near[0]}?' if near else ''
    raise ValueError(
        f"expected a config file or the name of one of ours or MMAction2's, got "
        f'{str(name)!r}{hint}'
    )


def uses_detection(node: Any) -> bool:
    """Say whether a config asks for a component of mmdet anywhere."""
    if isinstance(node, dict):
        kind = node.get('type')
        named = isinstance(kind, str) and kind.startswith('mmdet.')
        if named or node.get('_scope_') == 'mmdet':
            return True
        return any(uses_detection(value) for value in node.values())
    return isinstance(node, (list, tuple)) and any(uses_detection(x) for x in node)


def add_split_option(parser: argparse._ActionsContainer) -> None:
    """Add ``--split`` to a tool that reads configs."""
    parser.add_argument(
        '--split',
        type=int,
        choices=(1, 2, 3),
        help='official split of UCF101 or HMDB51; same as the environment variable '
        f'{SPLIT_VARIABLE}. The default work dir then ends in _splitN',
    )


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set variables that configs read, as long as the context lasts.

    Args:
        **values: The variables by name.
    """
    before = {key: os.environ[key] for key in values if key in os.environ}
    os.environ.update(values)
    try:
        yield
    finally:
        for key in values:
            del os.environ[key]
        os.environ.update(before)


def set_split(split: int | None) -> None:
    """Let configs that are read from now on name the lists of this split."""
    if split:
        os.environ[SPLIT_VARIABLE] = str(split)
