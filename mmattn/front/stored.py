"""What a frozen network makes of videos, stored once: heads then train in seconds."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch import Tensor

from mmattn.datasets.base import BrokenVideoError
from mmattn.datasets.transforms.features import open_features
from mmattn.front.systems import Plan
from mmattn.prepare.features import feature_names
from mmattn.utils.arrays import save_array
from mmattn.utils.files import write_text
from mmattn.utils.journal import file_state
from mmattn.utils.progress import progress_bar
from mmattn.utils.settings import claim_folder

CHUNK = 16
MIB = 1 << 20
RECORD = 'maps.json'


def frozen_part(model: Any, plan: Plan, frames: Tensor) -> Tensor:
    """Return what is stored of frames: everything up to where weights may learn.

    Args:
        model: Model of the plan, on frames.
        plan: What it is made for.
        frames: Normalized frames.

    Shape:
        - frames: (n, 3, H, W).
        - Output: (n, C, 1, 1) for ``'features'``, else (n, C, h, w).
    """
    net = model.backbone
    if plan.stored == 'taps':
        maps = model.reduction.compact(tuple(model._tapped(frames)))
        return torch.cat(maps, dim=1)
    if plan.stored == 'maps':
        # Of a network that goes on behind the maps, only what comes before them.
        stop = plan.trunk.rest if plan.trunk.rest in net.stage_names else None
        return net.forward_stages(frames, None, stop)
    return net(frames).mean(dim=(2, 3), keepdim=True)


def store_maps(
    cfg: Config,
    plan: Plan,
    model: Any,
    out: str | Path,
    *,
    device: str = 'cpu',
    progress: bool = True,
) -> Path:
    """Run the frozen network of a config over its videos, once.

    Writes a file of float16 for each video, and lists of them, ``train_maps.tsv`` and
    ``test_maps.tsv``, beside the lists of the videos. Finished files are kept, so an
    interrupted run goes on, and other runs on these videos may share the folder.

    Args:
        cfg: Config of :func:`mmattn.front.configs.video_config`.
        plan: What it is made for.
        model: The model, with the weights of its network.
        out: Folder.
        device: Device of the network.
        progress: Whether to show a progress bar.

    Returns:
        The folder.

    Raises:
        BrokenVideoError: If a video cannot be read.
        ValueError: If the folder holds something else, or values are too large.
    """
    out = Path(out)
    init_default_scope('mmaction')
    loaders = dict(train=cfg.train_dataloader, test=cfg.test_dataloader)
    datasets = {
        name: DATASETS.build(
            dict(loader.dataset, pipeline=cfg.test_pipeline, test_mode=True)
        )
        for name, loader in loaders.items()
    }
    names = feature_names(
        {name: list(_samples(data)) for name, data in datasets.items()}
    )
    _claim(out, cfg, plan)
    missing = [
        (data, index, out / f'{names[path]}.npy')
        for data in datasets.values()
        for index, (path, _) in enumerate(_samples(data))
        if not _is_whole(out / f'{names[path]}.npy', Path(path))
    ]
    if missing:
        model.to(device).eval()
        loader = torch.utils.data.DataLoader(
            _Items([(data, index) for data, index, _ in missing]),
            batch_size=None,
            num_workers=cfg.test_dataloader.num_workers,
        )
        bar = progress_bar(
            loader, description='store maps', unit='video', shown=progress
        )
        for k, (item, (_, _, file)) in enumerate(zip(bar, missing, strict=True)):
            maps = _maps(model, plan, item)
            _require_space(out, maps.nbytes * (len(missing) - k))
            save_array(file, maps)
    for name, data in datasets.items():
        lines = [
            f'{names[path]}\t{data.get_data_info(index)["label"]}\n'
            for index, (path, _) in enumerate(_samples(data))
        ]
        path = Path(loaders[name].dataset.ann_file).with_name(f'{name}_maps.tsv')
        write_text(path, ''.join(lines))
    return out


@torch.no_grad()
def _maps(model: Any, plan: Plan, item: dict[str, Any]) -> np.ndarray:
    batch = model.data_preprocessor(pseudo_collate([item]))
    (frames,) = batch['inputs']
    if isinstance(batch['inputs'], list):  # many frames are left as they are
        frames = model.data_preprocessor.normalize(frames)
    maps = torch.cat([frozen_part(model, plan, part) for part in frames.split(CHUNK)])
    if not maps.half().isfinite().all():
        raise ValueError(
            'expected finite maps within the range of float16, got values up to '
            f'{maps.abs().max():g}: do the weights belong to this network?'
        )
    return maps.half().cpu().numpy()


def _samples(dataset: Any) -> Iterator[tuple[str, str]]:
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        yield info['filename'], info['video_id']


class _Items(torch.utils.data.Dataset):
    """Samples of several data sets."""

    def __init__(self, places: list[tuple[Any, int]]) -> None:
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, k: int) -> dict[str, Any]:
        dataset, index = self.places[k]
        return dataset[index]


def _claim(out: Path, cfg: Config, plan: Plan) -> None:
    """Leave in a new folder what its maps depend on; refuse that of others."""
    trunk = plan.trunk
    settings = dict(
        backbone=trunk.backbone,
        weights=_state(plan.weights),
        stored=plan.stored,
        taps=trunk.taps,
        mean=trunk.mean,
        std=trunk.std,
        reversed_channels=trunk.reversed_channels,
        pipeline=cfg.test_pipeline,
        root=cfg.test_dataloader.dataset.data_prefix.video,
    )
    claim_folder(out / RECORD, json.loads(json.dumps(settings)), 'maps')


def _state(weights: str) -> list[Any]:
    path = Path(weights)
    if weights and path.is_file():
        return [weights, *file_state(path)]
    return [weights]


def _is_whole(file: Path, video: Path) -> bool:
    if not file.is_file() or file.stat().st_mtime_ns < video.stat().st_mtime_ns:
        return False
    try:
        open_features(str(file))
    except BrokenVideoError:
        return False
    return True


def _require_space(out: Path, needed: int) -> None:
    free = shutil.disk_usage(out).free
    if needed > free:
        raise OSError(
            f'{out}: expected {needed / MIB:.0f} MB free for the maps, '
            f'got {free / MIB:.0f} MB; what is stored is kept'
        )
