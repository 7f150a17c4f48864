"""Parameters, multiply-adds and time of models, head included."""

import copy
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mmattn.inference.models import load_model
from mmattn.inference.score import ClipScorer, first_clip
from mmattn.testing.shrink import point_to_data
from mmattn.utils.text import markdown_table

HEADER = (
    *('config', 'input', 'parameters, M', 'multiply-adds, G'),
    *('of these in the head', 'time, ms'),
)
BACKBONE = '_WithProposals.model.backbone'  # as the counter names it


@dataclass(frozen=True)
class Complexity:
    """Costs of one forward pass.

    Args:
        config: Name of the config.
        input: Shape of the clip without the batch, then of the boxes if it reads any.
        parameters: Number of parameters.
        multiply_adds: Multiplications with an addition, of all convolutions and matrix
            products.
        backbone_parameters: Those of the backbone.
        backbone_multiply_adds: Those of the backbone; the rest is that of the head.
        milliseconds: Median time, or None where it was not measured.
    """

    config: str
    input: tuple[tuple[int, ...], ...]
    parameters: int
    multiply_adds: int
    backbone_parameters: int
    backbone_multiply_adds: int
    milliseconds: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def measure_complexity(
    cfg: Config,
    name: str,
    clips: Sequence[Tensor],
    metainfos: Sequence[dict[str, Any]],
    *,
    repeats: int = 0,
    device: str = 'cpu',
) -> Complexity:
    """Count a model's parameters and multiply-adds, and time it.

    Nothing is computed to count: the tensors have shapes and no values.

    Args:
        cfg: Config of the model.
        name: Name to report.
        clips: Arguments of :class:`~mmattn.inference.score.ClipScorer`, batch of 1.
        metainfos: What the pipeline says of the clip.
        repeats: Timed forward passes after one that is not; 0 times nothing.
        device: Where to time.
    """
    with torch.device('meta'):
        model = load_model(cfg)
    scorer = _WithProposals(model, metainfos)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        scorer(*(clip.to('meta') for clip in clips))
    milliseconds = None
    if repeats:
        milliseconds = _median_time(cfg, clips, metainfos, repeats, device)
    return Complexity(
        config=name,
        input=tuple(tuple(clip.shape) for clip in clips),
        parameters=_num_parameters(model),
        multiply_adds=counter.get_total_flops() // 2,
        backbone_parameters=_num_parameters(model.backbone),
        backbone_multiply_adds=_flops_below(counter, BACKBONE) // 2,
        milliseconds=milliseconds,
    )


def sample_clip(
    cfg: Config, data: str | Path
) -> tuple[tuple[Tensor, ...], Sequence[dict[str, Any]]]:
    """Return a clip of the full size that a config's test pipeline gives.

    A detector that finds persons itself gets one box, the whole frame.

    Args:
        cfg: Config of a model.
        data: Folder of :func:`mmattn.testing.make_tiny_data`. Stored features in it
            get the width that the model reads.
    """
    cfg = copy.deepcopy(cfg)
    dataset = cfg.test_dataloader.dataset
    point_to_data(dataset, data)
    if dataset.type == 'mmattn.FeatureDataset':
        for path in Path(data, 'features').glob('*.npy'):
            shape = len(np.load(path)), cfg.model.cls_head.in_channels
            np.save(path, np.zeros(shape, np.float32))
    clips, metainfos = first_clip(cfg)
    if 'roi_head' in cfg.model and len(clips) == 1:  # the model finds persons itself
        height, width = clips[0].shape[-2:]
        clips += (torch.tensor([[0.0, 0.0, width, height]]),)
    return clips, metainfos


class _WithProposals(ClipScorer):
    """A model as at test: its own proposal network runs, though given boxes count."""

    def __init__(self, model: Any, metainfos: Sequence[dict[str, Any]]) -> None:
        super().__init__(model, metainfos)
        if self.reads_boxes:  # tensors without values cannot be filtered
            self.model.roi_head.test_cfg = None

    def features(self, inputs: Tensor) -> Any:
        feats = super().features(inputs)
        if hasattr(self.model, 'rpn_head'):
            from mmattn.models.detectors.action_faster_rcnn import key_frames

            self.model.rpn_head(key_frames(feats))
        return feats


def markdown(rows: Sequence[Complexity]) -> str:
    """Return a Markdown table."""
    lines = []
    for row in rows:
        shapes = ', '.join(' x '.join(map(str, shape)) for shape in row.input)
        head = row.multiply_adds - row.backbone_multiply_adds
        duration = (
            'not timed' if row.milliseconds is None else f'{row.milliseconds:.1f}'
        )
        counts = (f'{count / 1e9:.3f}' for count in (row.multiply_adds, head))
        parameters = f'{row.parameters / 1e6:.2f}'
        lines.append((row.config, shapes, parameters, *counts, duration))
    return markdown_table(HEADER, lines)


def _flops_below(counter: FlopCounterMode, path: str) -> int:
    """Operations of a module, whether it was called itself or only what is in it."""
    counts = counter.get_flop_counts()
    below = [name for name in counts if f'{name}.'.startswith(f'{path}.')]
    top = [
        name
        for name in below
        if not any(name.startswith(f'{other}.') for other in below)
    ]
    return sum(sum(counts[name].values()) for name in top)


def _num_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _median_time(
    cfg: Config,
    clips: Sequence[Tensor],
    metainfos: Sequence[dict[str, Any]],
    repeats: int,
    device: str,
) -> float:
    scorer = _WithProposals(load_model(cfg), metainfos).to(device)
    moved = [clip.to(device) for clip in clips]
    durations = []
    with torch.no_grad():
        for _ in range(1 + repeats):
            start = time.perf_counter()
            scorer(*moved)
            if moved[0].is_cuda:
                torch.cuda.synchronize()
            durations.append(time.perf_counter() - start)
    return 1e3 * statistics.median(durations[1:])
