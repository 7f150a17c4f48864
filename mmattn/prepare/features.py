"""Extract per-frame features once, so that a head trains on stored ones."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, init_default_scope

from mmattn.datasets.base import AnnotationFileNotFoundError, BrokenVideoError
from mmattn.datasets.transforms.features import open_features
from mmattn.models.weights.pretrained import load_pretrained
from mmattn.utils.arrays import save_array
from mmattn.utils.files import write_text
from mmattn.utils.progress import progress_bar
from mmattn.utils.settings import claim_folder

LISTS = dict(train='train_dataloader', val='val_dataloader', test='test_dataloader')
RECORD = 'features.json'


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
    ``out/<list>.txt`` with a line ``<video id> <labels>`` for each readable video, with
    tabs between them where a name holds a space. Videos that differ only in the ending
    keep it in their names; paths from outside of the data's folder lead into ``out``.
    ``features.json`` says how the features were made.
    Finished files are kept, so an interrupted run goes on; a broken video, or file of
    features, is named and left out of the list.

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
        ValueError: If a list is unknown, the pipeline has no ``SampleWindows``, the
            checkpoint does not fit the backbone, ``out`` holds features that were made
            otherwise, or no video at all can be read.
    """
    cfg = config if isinstance(config, Config) else Config.fromfile(config)
    unknown = set(lists) - set(LISTS)
    if unknown:
        raise ValueError(f'lists: expected some of {set(LISTS)}, got {unknown}')
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    model = MODELS.build(cfg.model)
    load_pretrained(model.backbone, checkpoint)
    pipeline = whole_video_pipeline(cfg.test_pipeline)
    out, broken = Path(out), []
    _require_same_settings(out, _settings(cfg, model, pipeline))
    model.to(device).eval()

    datasets = _datasets(cfg, pipeline, lists)
    samples = {name: _samples(dataset) for name, dataset in datasets.items()}
    names = feature_names(samples)
    for name in lists:
        dataset = datasets[name]
        done = []
        text = f'{name} features'
        bar = progress_bar(total=len(dataset), description=text, shown=progress)
        files = [names[path] for path, _ in samples[name]]
        for index, item in enumerate(_read(dataset, out, files, workers)):
            bar.update()
            file = out / f'{files[index]}.npy'
            try:
                if isinstance(item, Exception):
                    raise item
                if item is not None:
                    save_array(file, _features(model, item))
            except Exception as error:
                path, _ = samples[name][index]
                cause = ' '.join(str(error).split()) or type(error).__name__
                where = '' if path in cause else f'{path}: '
                broken.append(f'{name}: {where}{cause}')
                failure = error
                continue
            done.append((files[index], _labels(dataset.get_data_info(index)['label'])))
        bar.close()
        if not done:
            raise ValueError(
                f'{name}: expected a readable video, got {len(dataset)} that are not, '
                f'the last for {failure}'
            ) from failure
        _write_list(out / f'{name}.txt', done)
    return broken


def feature_names(lists: Mapping[str, list[tuple[str, str]]]) -> dict[str, str]:
    """Choose where the features of each video are stored.

    Args:
        lists: Path of the file or folder, and video id, of each sample of each list.

    Returns:
        Path inside of the output folder, without ``.npy``, by path of the video.

    Raises:
        ValueError: If two videos would share a file all the same.

    Example:
        >>> feature_names({'train': [('v/a.mp4', 'a'), ('v/b.avi', 'b')],
        ...                'test': [('v/a.webm', 'a')]})
        {'v/a.mp4': 'a.mp4', 'v/a.webm': 'a.webm', 'v/b.avi': 'b'}
    """
    sources: dict[str, list[str]] = {}
    for samples in lists.values():
        for path, video_id in samples:
            known = sources.setdefault(_inside(video_id), [])
            known += [path] if path not in known else []
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for name, paths in sources.items():
        for path in paths:
            names[path] = name + (PurePath(path).suffix if len(paths) > 1 else '')
            other = taken.setdefault(names[path], path)
            if other != path:
                raise ValueError(
                    f'expected videos whose paths differ below the folder of the data, '
                    f'got {other} and {path}, whose features would be one file'
                )
    return names


def _inside(video_id: str) -> str:
    """A path that stays below the folder it is joined to."""
    path = PurePath(video_id)
    return str(
        PurePath(*[part for part in path.parts if part not in (path.anchor, '..')])
    )


def _samples(dataset: Any) -> list[tuple[str, str]]:
    """Path of the file or folder, and video id, of each sample."""
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return [
        (str(info.get('filename') or info['frame_dir']), info['video_id'])
        for info in infos
    ]


def _datasets(
    cfg: Config, pipeline: list[dict], lists: tuple[str, ...]
) -> dict[str, Any]:
    """Data sets of all lists that are there: names depend on all, in every run."""
    found = {}
    for name, loader in LISTS.items():
        dataset = (cfg.get(loader) or {}).get('dataset')
        if dataset is None and name not in lists:
            continue
        dataset = {**cfg[loader].dataset, 'pipeline': pipeline, 'test_mode': True}
        try:
            found[name] = DATASETS.build(dataset)
        except AnnotationFileNotFoundError:
            if name in lists:
                raise
    return found


def _settings(cfg: Config, model: Any, pipeline: list[dict]) -> dict[str, Any]:
    """What decides the content of the features."""
    digest = hashlib.sha256()
    for name, tensor in model.backbone.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy())
    network = Config(dict(cfg.model.backbone)).to_dict()
    network.pop('init_cfg', None)
    settings = dict(
        weights=digest.hexdigest(),
        backbone=network,
        data_preprocessor=cfg.model.get('data_preprocessor') or {},
        pipeline=pipeline,
    )
    return json.loads(json.dumps(settings, default=str))


def _require_same_settings(out: Path, settings: dict[str, Any]) -> None:
    """Refuse a folder of other features; leave the settings in a new one."""
    record = out / RECORD
    known = record.is_file() or not out.is_dir()
    foreign = None if known else next(out.rglob('*.npy'), None)
    if foreign is not None:
        raise ValueError(
            f'{out}: expected a folder without features, or with {RECORD}, which says '
            f'how they were made, got {foreign}; write to another folder or remove it'
        )
    claim_folder(record, settings, 'features')


def _labels(label: Any) -> list[int]:
    """Labels as a list names them; of several classes they come as 0 and 1."""
    if isinstance(label, torch.Tensor):
        return label.nonzero().flatten().tolist()
    return [int(label)] if label >= 0 else []  # as in a list for predictions


def _write_list(path: Path, samples: list[tuple[str, list[int]]]) -> None:
    spaces = any(len(name.split()) > 1 for name, _ in samples)
    separator = '\t' if spaces else ' '
    lines = [separator.join([name, *map(str, labels)]) for name, labels in samples]
    write_text(path, '\n'.join(lines) + '\n')


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

    def __init__(self, dataset: Any, out: Path, files: list[str]) -> None:
        self.dataset = dataset
        self.out = out
        self.files = files

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        file = self.out / f'{self.files[index]}.npy'
        try:
            if not file.exists():
                return self.dataset[index]
            open_features(str(file))
        except Exception as error:
            # Whatever a step or library raises, the other videos go on.
            return BrokenVideoError(str(error) or type(error).__name__)
        return None


def _read(dataset: Any, out: Path, files: list[str], workers: int) -> Iterator[Any]:
    loader = torch.utils.data.DataLoader(
        _Reader(dataset, out, files), batch_size=None, num_workers=workers
    )
    yield from loader


@torch.no_grad()
def _features(model: Any, item: dict) -> np.ndarray:
    batch = model.data_preprocessor(pseudo_collate([item]))
    feats, _ = model.extract_feat(batch['inputs'], data_samples=batch['data_samples'])
    rows = feats.flatten(1).half()
    if not rows.isfinite().all():
        raise BrokenVideoError(
            'expected finite features within the range of float16, got values up to '
            f'{feats.abs().max():g}'
        )
    return rows.cpu().numpy()
