"""Extract per-frame features once, so that a head trains on stored ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, init_default_scope

from mmattn.utils.files import replaced_atomically
from mmattn.utils.pretrained import load_pretrained
from mmattn.utils.progress import progress_bar

LISTS = dict(train='train_dataloader', val='val_dataloader', test='test_dataloader')


def extract_features(
    config: str | Path | Config,
    checkpoint: str,
    out: str | Path,
    *,
    lists: tuple[str, ...] = ('train', 'test'),
    device: str = 'cpu',
    workers: int = 2,
    progress: bool = True,
) -> list[str]:
    """Store the backbone's features of every frame, one file per video.

    Writes ``out/<video id>.npy`` (frames, C) in float16 and a list
    ``out/<list>.txt`` with a line ``<video id> <label>`` for each readable video.
    Finished files are kept, so an interrupted run goes on; a broken video is named
    and left out of the list.

    Args:
        config: Config of a ``mmattn.FrameRecognizer`` on videos or flow, whose test
            pipeline starts from ``mmattn.SampleWindows``.
        checkpoint: Weights of its backbone, for example of the fine-tuned ConvNet.
        out: Folder to write to.
        lists: Which of the config's lists to extract: ``'train'``, ``'val'``,
            ``'test'``.
        device: Device of the backbone.
        workers: Processes that decode.
        progress: Whether to show a progress bar.

    Returns:
        Messages about the videos that could not be read.

    Raises:
        ValueError: If a list is unknown, the pipeline has no ``SampleWindows`` or the
            checkpoint does not fit the backbone.
    """
    cfg = config if isinstance(config, Config) else Config.fromfile(config)
    unknown = set(lists) - set(LISTS)
    if unknown:
        raise ValueError(f'lists: expected some of {set(LISTS)}, got {unknown}')
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    model = MODELS.build(cfg.model)
    load_pretrained(model.backbone, checkpoint)
    model.to(device).eval()
    pipeline = whole_video_pipeline(cfg.test_pipeline)

    out, broken = Path(out), []
    for name in lists:
        dataset_cfg = cfg[LISTS[name]].dataset
        dataset_cfg = {**dataset_cfg, 'pipeline': pipeline, 'test_mode': True}
        dataset = DATASETS.build(dataset_cfg)
        done = []
        text = f'{name} features'
        bar = progress_bar(total=len(dataset), description=text, shown=progress)
        for info, item in _read(dataset, out, workers):
            bar.update()
            if isinstance(item, Exception):
                broken.append(f'{name}: {item}')
                continue
            if item is not None:
                _save(out / f'{info["video_id"]}.npy', _features(model, item))
            done.append(f'{info["video_id"]} {info["label"]}\n')
        bar.close()
        with replaced_atomically(out / f'{name}.txt') as path:
            path.write_text(''.join(done))
    return broken


def whole_video_pipeline(pipeline: list[dict]) -> list[dict]:
    """Return a test pipeline that reads every frame of a video once.

    Raises:
        ValueError: If the pipeline has no ``mmattn.SampleWindows``.
    """
    steps = [dict(step) for step in pipeline]
    windows = [step for step in steps if step['type'] == 'mmattn.SampleWindows']
    if not windows:
        found = [step['type'] for step in steps]
        raise ValueError(
            f'test_pipeline: expected a step mmattn.SampleWindows, got {found}'
        )
    windows[0].update(window_frames=1, mode='all')
    return steps


class _Reader(torch.utils.data.Dataset):
    """Decode the videos whose features are missing; errors come back as values."""

    def __init__(self, dataset: Any, out: Path) -> None:
        self.dataset = dataset
        self.out = out

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[dict, Any]:
        info = self.dataset.get_data_info(index)
        if (self.out / f'{info["video_id"]}.npy').exists():
            return info, None
        try:
            return info, self.dataset[index]
        except (OSError, RuntimeError, ValueError) as error:
            return info, error


def _read(dataset: Any, out: Path, workers: int) -> Iterator[tuple[dict, Any]]:
    loader = torch.utils.data.DataLoader(
        _Reader(dataset, out), batch_size=None, num_workers=workers
    )
    yield from loader


@torch.no_grad()
def _features(model: Any, item: dict) -> np.ndarray:
    batch = model.data_preprocessor(pseudo_collate([item]))
    feats, _ = model.extract_feat(batch['inputs'], data_samples=batch['data_samples'])
    return feats.flatten(1).half().cpu().numpy()


def _save(path: Path, feats: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_atomically(path) as part, part.open('wb') as file:
        np.save(file, feats)
