"""Configs that travel with weights: text from strangers, read as data.

MMEngine writes the config of a run into its work folder and its checkpoints, as Python
code.  Such a file may come from anybody, and MMEngine would execute it, import what it
names, and call any function that stands under ``type``.  Here the text is parsed for
its values alone, and models and pipelines are made of registered classes only.
"""

import ast
import re
from collections.abc import Iterator
from typing import Any

import mmcv.cnn
from mmengine.config import Config
from mmengine.registry import MODELS, TASK_UTILS, TRANSFORMS, Registry
from torch import nn

from mmattn.compat import require_detection
from mmattn.utils.configs import uses_detection

PACKAGES = ('mmattn', 'mmaction', 'mmdet', 'mmcv', 'mmengine', 'mmpretrain')
FOREIGN = re.compile(r'(torchvision|timm|mmpretrain|mmcls)\.\w+')  # backbones by name
NUMBERS = {'inf': float('inf'), 'nan': float('nan')}
# Words that the host compares with, and looks none of them up.
HOST_WORDS = ('AvgConsensus', 'resnet3d', 'max', 'avg', 'non_local', 'nms')
LATER = ('init_cfg',)  # built by `init_weights`, which nobody calls here


def read_config_text(text: str, source: str) -> Config:
    """Read the text that MMEngine dumps of a config, without running it.

    Args:
        text: Assignments of plain values, of ``dict(...)`` and lists of them.
        source: Where it stands, for messages.

    Raises:
        ValueError: If it holds anything else, or imports modules of other packages than
            the OpenMMLab ones and ours.

    Example:
        >>> read_config_text('model = dict(type="TSN", sizes=[1, -2])', 'x').model.sizes
        [1, -2]
    """
    content: dict[str, Any] = {}
    try:
        for statement in ast.parse(text).body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    content[name] = ast.literal_eval(_Plain().visit(value))
                case _:
                    raise ValueError(f'line {statement.lineno} is no assignment')
    except (SyntaxError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f'{source}: expected a config that MMEngine has dumped (names with plain '
            f'values), got another text ({error}); give the config file itself'
        ) from error
    imports = content.get('custom_imports') or {}
    named = imports.get('imports') or [] if isinstance(imports, dict) else [imports]
    strangers = [
        name
        for name in ([named] if isinstance(named, str) else named)
        if str(name).partition('.')[0] not in PACKAGES
    ]
    if strangers:
        raise ValueError(
            f'{source}: expected custom_imports of {", ".join(PACKAGES)}, got '
            f'{strangers}; give the config file itself if you trust it'
        )
    return Config(content)


class _Plain(ast.NodeTransformer):
    """Turn ``dict(a=1)`` into ``{'a': 1}``, and the names of numbers into numbers."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        is_dict = isinstance(node.func, ast.Name) and node.func.id == 'dict'
        if not is_dict or len(node.args) > 1:
            raise ValueError(f'line {node.lineno} calls {ast.unparse(node.func)}')
        pairs = ast.Dict(
            keys=[ast.Constant(k.arg) if k.arg else None for k in node.keywords],
            values=[self.visit(keyword.value) for keyword in node.keywords],
        )
        if None in pairs.keys:
            raise ValueError(f'line {node.lineno} unpacks a mapping')
        for argument in node.args:
            inner = self.visit(argument)
            if not isinstance(inner, ast.Dict):
                raise ValueError(f'line {node.lineno} is no mapping')
            pairs.keys += inner.keys
            pairs.values += inner.values
        return ast.copy_location(pairs, node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in NUMBERS:
            raise ValueError(f'line {node.lineno} names {node.id}')
        return ast.copy_location(ast.Constant(NUMBERS[node.id]), node)


def require_registered(cfg: Config, source: str) -> None:
    """Refuse a config whose model or test pipeline names what is no registered class.

    MMEngine looks any other ``type`` up as a path of Python, and calls it.

    Args:
        cfg: Config of :func:`read_config_text`.
        source: Where it stands, for messages.

    Raises:
        ImportError: If it needs mmdet, which is not installed.
        ValueError: Naming the type.
    """
    import mmaction.datasets
    import mmaction.models  # noqa: F401  (fills the registries)

    import mmattn.registry  # noqa: F401

    if uses_detection(cfg.model):
        require_detection()
        import mmdet.models  # noqa: F401
    known = set(_names(MODELS)) | set(_names(TRANSFORMS)) | set(_names(TASK_UTILS))
    loader = cfg.get('test_dataloader') or {}
    parts = dict(
        model=cfg.get('model'),
        test_pipeline=cfg.get('test_pipeline'),
        pipeline=loader.get('dataset', {}).get('pipeline'),
    )
    for key, part in parts.items():
        for where, name in _types(part, key):
            if not _is_known(name, known, where):
                raise ValueError(
                    f'{source}: expected registered classes in {where}.type, got '
                    f'{name!r}; give the config file itself if you trust it'
                )


def _is_known(name: Any, known: set[str], where: str) -> bool:
    if not isinstance(name, str):
        return False
    if where.endswith('backbone') and FOREIGN.fullmatch(name):
        return True
    if name in HOST_WORDS:
        return True
    package, _, plain = name.rpartition('.')
    if package == 'mmcv.cnn':
        found = getattr(mmcv.cnn, plain, None)
        return isinstance(found, type) and issubclass(found, nn.Module)
    return package in ('', *PACKAGES) and plain in known


def _types(node: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        if 'type' in node:
            yield where, node['type']
        for key, value in node.items():
            if key not in LATER:
                yield from _types(value, f'{where}.{key}')
    elif isinstance(node, (list, tuple)):
        for k, value in enumerate(node):
            yield from _types(value, f'{where}[{k}]')


def _names(root: Registry) -> Iterator[str]:
    """Names in a registry and in those of all packages below it."""
    root.import_from_location()
    yield from root.module_dict
    for child in root.children.values():
        yield from _names(child)
