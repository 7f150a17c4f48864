"""Maps of a frozen network, computed once for all clips and kept on disk."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmaction.registry import MODELS as HOST_MODELS
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch.nn import functional as F

import mmattn.models  # noqa: F401  (registers)
from mmattn.comparison.clips import group_names
from mmattn.datasets.transforms.sample_spaced_frames import SampleSpacedFrames
from mmattn.datasets.video_reader import open_video
from mmattn.models.backbones.efficientnet_lite0 import MEAN, PACKAGED, STD
from mmattn.prepare.own_videos import Clip, class_names
from mmattn.utils.files import replaced_atomically, write_json
from mmattn.utils.journal import file_state
from mmattn.utils.logs import quiet_log
from mmattn.utils.progress import progress_bar

CHUNK = 8  # frames that pass the network at once


@dataclass(frozen=True)
class Trunk:
    """A frozen network for frames, and what it wants of them.

    Args:
        backbone: Config; it returns a map, or a tuple of maps, the top one last.
        mean: Mean of the channels RGB, of values from 0 to 255.
        std: Standard deviation of the channels.
        reversed_channels: Whether it wants BGR; ``mean`` and ``std`` are in that order.
        size: Height and width to which whole frames are resized.
        num_frames: Frames of a clip, the middles of as many equal parts.
        positions: Height and width of the maps that are kept, at most.
    """

    backbone: dict = field(
        default_factory=lambda: dict(
            type='mmattn.EfficientNetLite0',
            out=('stage3', 'stage5', 'head'),
            init_cfg=dict(type='Pretrained', checkpoint=PACKAGED),
        )
    )
    mean: tuple[float, ...] = (MEAN,) * 3
    std: tuple[float, ...] = (STD,) * 3
    reversed_channels: bool = False
    size: int = 224
    num_frames: int = 30
    positions: int = 4


@dataclass
class StoredClips:
    """Maps and labels of all clips.

    Args:
        maps: Maps of each scale, the top one last, float16 (N, T, C_j, h, w).
        labels: Class of each clip, (N,).
        groups: Group of each clip, (N,).
        classes: Names of the classes.
        names: Path of each clip.
        grouped: Whether the groups were given; else each clip is one.
    """

    maps: tuple[Tensor, ...]
    labels: Tensor
    groups: Tensor
    classes: list[str]
    names: list[str]
    grouped: bool

    def __len__(self) -> int:
        return len(self.labels)


def store_clips(
    clips: Sequence[Clip],
    folder: str | Path,
    *,
    trunk: Trunk | None = None,
    progress: bool = True,
) -> StoredClips:
    """Compute the maps of clips, or read those that are there.

    Writes ``folder/<settings>/<clip>.npz``; both names are digests, of the trunk and of
    the file's path, size and time of change, so that what has changed is computed anew.

    Args:
        clips: The clips.
        folder: Folder to keep the maps in.
        trunk: The network, EfficientNet-Lite0 by default.
        progress: Whether to show a progress bar.

    Raises:
        VideoError: If a video cannot be read.
        ValueError: If the network returns no maps.
    """
    trunk = trunk or Trunk()
    settings = json.loads(json.dumps(asdict(trunk)))
    home = Path(folder) / _digest(settings)
    if not (home / 'settings.json').is_file():  # stored maps may be read-only
        write_json(home / 'settings.json', settings)
    network: nn.Module | None = None
    rows = []
    for clip in progress_bar(clips, description='features', shown=progress):
        file = (
            home / f'{_digest([str(clip.path.resolve()), *file_state(clip.path)])}.npz'
        )
        if not file.is_file():
            network = network or build_trunk(trunk)
            maps = clip_maps(network, trunk, clip.path)
            with replaced_atomically(file) as part, part.open('wb') as stream:
                np.savez(stream, *[x.numpy() for x in maps])
        with np.load(file, allow_pickle=False) as content:
            rows.append([torch.from_numpy(content[name]) for name in content.files])
    classes, groups = class_names(clips), group_names(clips)
    names = sorted(set(groups))
    return StoredClips(
        maps=tuple(torch.stack(scale) for scale in zip(*rows, strict=True)),
        labels=torch.tensor([classes.index(clip.label) for clip in clips]),
        groups=torch.tensor([names.index(group) for group in groups]),
        classes=classes,
        names=[str(clip.path) for clip in clips],
        grouped=bool(clips[0].group),
    )


def build_trunk(trunk: Trunk) -> nn.Module:
    """Build the network with its weights, in eval mode.

    Args:
        trunk: The network.
    """
    init_default_scope('mmaction')
    with quiet_log(logging.WARNING):  # a line for each weight
        network = HOST_MODELS.build(dict(trunk.backbone))
        network.init_weights()
    network = network.to(memory_format=torch.channels_last)  # two thirds of the time
    return network.eval().requires_grad_(False)


def clip_maps(network: nn.Module, trunk: Trunk, path: Path) -> tuple[Tensor, ...]:
    """Maps of the frames of a clip, of ``trunk.positions`` rows and columns at most.

    The top map is averaged to that size; the others get its size by adaptive max
    pooling, as pyramid attention does it.

    Args:
        network: What :func:`build_trunk` returned.
        trunk: The network's settings.
        path: The video.

    Shape:
        - Output: float16 (T, C_j, h, w), one for each scale.
    """
    parts: list[tuple[Tensor, ...]] = []
    with open_video(path) as video:
        sampling = SampleSpacedFrames(trunk.num_frames)
        found = sampling({'total_frames': len(video), 'start_index': 0})
        frames = video.read(found['frame_inds'])
    size = (trunk.size, trunk.size)
    images = [cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in frames]
    mean, std = torch.tensor(trunk.mean), torch.tensor(trunk.std)
    for start in range(0, len(images), CHUNK):
        batch = torch.from_numpy(np.stack(images[start : start + CHUNK])).float()
        batch = batch.flip(-1) if trunk.reversed_channels else batch
        with torch.no_grad():
            maps = network(((batch - mean) / std).permute(0, 3, 1, 2))
        parts.append(tuple(x.half() for x in _as_maps(maps, trunk.positions)))
    return tuple(torch.cat(scale) for scale in zip(*parts, strict=True))


def _as_maps(output: Any, positions: int) -> tuple[Tensor, ...]:
    maps = tuple(output) if isinstance(output, (tuple, list)) else (output,)
    maps = tuple(x[..., None, None] if x.dim() == 2 else x for x in maps)
    if any(x.dim() != 4 for x in maps):
        shapes = [tuple(x.shape) for x in maps]
        raise ValueError(f'backbone: expected maps (N, C, H, W), got {shapes}')
    top = maps[-1]
    h, w = top.shape[-2:]
    size = (min(h, positions), min(w, positions))
    lower = [F.adaptive_max_pool2d(x, size) for x in maps[:-1]]
    return (*lower, F.adaptive_avg_pool2d(top, size))


def _digest(settings: Any) -> str:
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
