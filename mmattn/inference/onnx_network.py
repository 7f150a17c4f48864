"""An exported recognizer, run by onnxruntime in place of PyTorch."""

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmattn.inference.carried_config import read_config_text, require_registered

CONFIG, CLASSES = 'mmattn.config', 'mmattn.classes'
NUMBERS = {'tensor(uint8)': np.uint8, 'tensor(float)': np.float32}


def metadata_of(network: Any) -> dict[str, str]:
    """Return what an exported file has to carry to be used alone.

    Args:
        network: Model with its config as ``cfg``, and names of its classes, if known,
            as ``classes``.
    """
    found = {}
    if isinstance(getattr(network, 'cfg', None), Config):
        found[CONFIG] = network.cfg.pretty_text
    if getattr(network, 'classes', None):
        found[CLASSES] = json.dumps(list(network.classes))
    return found


class OnnxNetwork(nn.Module):
    """A file of ``tools/deployment/export.py`` that predicts like the model in it.

    It takes clips of the one shape with which it was exported, of the center crop, and
    hands out no attention.

    Args:
        path: The file.
        cfg: Config, for files that do not carry theirs.

    Raises:
        ImportError: If onnxruntime is missing.
        ValueError: If the file is no exported recognizer, or has no config.
    """

    crops = 'center'

    def __init__(self, path: str | Path, cfg: Config | None = None) -> None:
        super().__init__()
        if importlib.util.find_spec('onnxruntime') is None:
            raise ImportError(
                'an .onnx file needs onnxruntime: pip install onnxruntime'
            )
        import onnxruntime

        self.path = str(path)
        if not Path(path).is_file():
            raise ValueError(f'expected an exported model, got no file {path}')
        try:
            self.session = onnxruntime.InferenceSession(
                self.path, providers=['CPUExecutionProvider']
            )
        except Exception as error:  # its errors have no common class
            raise ValueError(
                f'{path}: expected an ONNX file, got another: {error}'
            ) from error
        inputs = self.session.get_inputs()
        if len(inputs) != 1:
            raise ValueError(
                f'{path}: expected an exported recognizer, got a model of '
                f'{len(inputs)} inputs: take the checkpoint of a detector'
            )
        known = self.session.get_modelmeta().custom_metadata_map
        self.cfg = cfg or self._carried(known)
        init_default_scope(self.cfg.get('default_scope', 'mmaction'))
        classes = json.loads(known.get(CLASSES, 'null'))
        self.classes = tuple(map(str, classes)) if classes else None
        self.num_classes = int(self.session.get_outputs()[0].shape[-1])
        self.input = inputs[0]

    def _carried(self, known: dict[str, str]) -> Config:
        if CONFIG not in known:
            raise ValueError(
                f'{self.path}: expected an exported model that carries its config, got '
                'one without: give its config first'
            )
        cfg = read_config_text(known[CONFIG], self.path)
        require_registered(cfg, self.path)
        return cfg

    def test_step(self, batch: dict[str, Sequence[Any]]) -> list[ActionDataSample]:
        """Predict clips one by one.

        Args:
            batch: ``inputs`` and ``data_samples``, as pipelines pack them.

        Raises:
            ValueError: If a clip is of another shape than the exported one.
        """
        samples = list(batch['data_samples'])
        for clip, sample in zip(batch['inputs'], samples, strict=True):
            (scores, *_) = self.session.run(None, {self.input.name: self._feed(clip)})
            sample.set_field(torch.from_numpy(scores[0]), 'pred_score')
        return samples

    def _feed(self, clip: torch.Tensor) -> np.ndarray:
        array = clip[None].numpy()
        if list(array.shape) != list(self.input.shape):
            raise ValueError(
                f'{self.path}: expected clips of the shape {tuple(self.input.shape)} '
                f'that was exported, got {array.shape}'
            )
        return array.astype(NUMBERS[self.input.type])
