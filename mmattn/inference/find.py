"""What people call a model: a work folder, a checkpoint, a config with weights."""

import logging
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.logging import print_log

from mmattn.inference.carried_config import read_config_text, require_registered
from mmattn.models.weights.checkpoints import MARKER, checkpoint_fault
from mmattn.utils.configs import find_config

WEIGHTS = ('.pth', '.pt', '.ckpt')
CONFIGS = ('.py',)
ONNX = '.onnx'


class ModelFiles(NamedTuple):
    """What a model is made of.

    Args:
        cfg: Its config.
        weights: File or address of its weights; None for initial ones.
        name: What to call it.
        classes: Names of its classes, where the weights tell them.
    """

    cfg: Config
    weights: str | None
    name: str
    classes: Sequence[str] | None = None


def find_model(
    model: str | Path | Config, weights: str | Path | None = None
) -> ModelFiles:
    """Find the config and the weights of a model.

    Args:
        model: Work folder of a run, checkpoint that carries its config, config file or
            name of a config of ours or of MMAction2's, or config.
        weights: Weights of a config; in a work folder, the checkpoint to take in place
            of the best or the last one.

    Raises:
        ValueError: If there is no such thing, or it lacks config or weights.
    """
    if isinstance(model, Config):
        return _with_weights(model, weights, Path(model.filename or 'model').stem)
    path = Path(model)
    if path.is_dir():
        return _in_work_dir(path, weights)
    if path.suffix in WEIGHTS or str(model).startswith(('http://', 'https://')):
        if weights is not None:
            raise ValueError(
                f'expected a config before the weights {weights}, got another '
                f'checkpoint {model}'
            )
        return _in_checkpoint(str(model))
    config = find_config(path)
    return _with_weights(Config.fromfile(config), weights, config.stem)


def is_weights(name: str) -> bool:
    """Say whether a name is that of weights, by its ending.

    Args:
        name: Path or address.

    Example:
        >>> is_weights('a.pth'), is_weights('a.mp4')
        (True, False)
    """
    return Path(name).suffix in (*WEIGHTS, ONNX)


def split_command(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the words of a command into those that name a model and the videos.

    Args:
        words: A model, its weights where it is a config, and videos.

    Raises:
        ValueError: If there are no videos.

    Example:
        >>> split_command(['work_dirs/mine', 'a.mp4'])
        (['work_dirs/mine'], ['a.mp4'])
        >>> split_command(['tsn.py', 'tsn.pth', 'a.mp4'])
        (['tsn.py', 'tsn.pth'], ['a.mp4'])
    """
    two = Path(words[0]).suffix in CONFIGS or is_weights(*words[1:2] or [''])
    count = 2 if two else 1
    if len(words) <= count:
        raise ValueError('input: expected one or more videos, got none')
    return list(words[:count]), list(words[count:])


def read_meta(checkpoint: str) -> dict[str, Any]:
    """Return what a checkpoint says of itself, as plain data.

    Args:
        checkpoint: File.

    Raises:
        ValueError: If it holds objects that would have to be executed.
    """
    mapped = zipfile.is_zipfile(checkpoint)  # its weights are not read
    try:
        content = torch.load(
            checkpoint, map_location='cpu', weights_only=True, mmap=mapped
        )
    except pickle.UnpicklingError as error:
        raise ValueError(
            f'{checkpoint}: expected weights and plain data, got more: {error}'
        ) from error
    meta = content.get('meta') if isinstance(content, dict) else None
    return meta if isinstance(meta, dict) else {}


def classes_in_meta(meta: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the names of the classes that a checkpoint knows; None if it does not.

    Args:
        meta: See :func:`read_meta`.

    Example:
        >>> classes_in_meta({'dataset_meta': {'classes': ['run', 'hop']}})
        ('run', 'hop')
    """
    known = meta.get('dataset_meta')
    known = known if isinstance(known, dict) else {}
    classes = known.get('classes') or known.get('CLASSES')
    if not isinstance(classes, (list, tuple)) or not classes:
        return None
    return tuple(map(str, classes))


def _with_weights(cfg: Config, weights: str | Path | None, name: str) -> ModelFiles:
    if weights is None:
        return ModelFiles(cfg, None, name)
    path = _whole(str(weights))
    meta = {} if '://' in path else read_meta(path)
    return ModelFiles(cfg, path, name, classes_in_meta(meta))


def _whole(path: str) -> str:
    fault = None if '://' in path else checkpoint_fault(path)
    if fault:
        raise ValueError(f'weights: expected a whole checkpoint, got {path}: {fault}')
    return path


def _in_work_dir(folder: Path, weights: str | Path | None) -> ModelFiles:
    chosen = _whole(str(weights)) if weights else _trained(folder)
    meta = {} if '://' in chosen else read_meta(chosen)
    text, source = meta.get('cfg'), chosen
    if not _is_config(text):
        configs = sorted(folder.glob('*.py'))
        if len(configs) != 1:
            raise ValueError(
                f'{folder}: expected a work folder with the config of its run, got '
                f'{[path.name for path in configs] or "no config"}'
            )
        text, source = configs[0].read_text(encoding='utf-8'), str(configs[0])
    cfg = _carried(str(text), source)
    return ModelFiles(cfg, chosen, folder.resolve().name, classes_in_meta(meta))


def _is_config(text: Any) -> bool:
    return isinstance(text, str) and 'model' in text


def _carried(text: str, source: str) -> Config:
    cfg = read_config_text(text, source)
    require_registered(cfg, source)
    return cfg


def _trained(folder: Path) -> str:
    """The best checkpoint of a folder, else the last one, that is whole."""
    newest_first = sorted(
        folder.glob('*.pth'), key=lambda path: path.stat().st_mtime, reverse=True
    )
    best = [path for path in newest_first if path.name.startswith('best_')]
    marker = folder / MARKER
    last = []
    if marker.is_file():
        last = [folder / Path(marker.read_text(encoding='utf-8').strip()).name]
    faults: list[str] = []
    for path in dict.fromkeys((*best, *last, *newest_first)):
        fault = checkpoint_fault(path)
        if fault is None:
            if faults:
                left = '; '.join(faults)
                print_log(f'{left}: taking {path}', 'current', logging.WARNING)
            return str(path)
        faults.append(f'{path}: {fault}')
    raise ValueError(
        f'{folder}: expected a work folder with a whole checkpoint, got '
        f'{"; ".join(faults) or "none"}'
    )


def _in_checkpoint(path: str) -> ModelFiles:
    if '://' in path:
        raise ValueError(
            f'expected a config before weights that lie at an address, got {path}'
        )
    meta = read_meta(_whole(path))
    text = meta.get('cfg')
    if not _is_config(text):
        raise ValueError(
            f'{path}: expected a checkpoint that carries its config, got one without: '
            'give its config first'
        )
    cfg = _carried(str(text), path)
    return ModelFiles(cfg, path, Path(path).stem, classes_in_meta(meta))
