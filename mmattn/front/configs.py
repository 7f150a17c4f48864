"""Configs for videos of one's own, as one would write them by hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmattn.front.systems import Plan, system_model
from mmattn.utils.configs import configs_root
from mmattn.utils.files import write_text


@dataclass(frozen=True)
class Lists:
    """Where the lists of the videos are.

    Args:
        folder: Folder of ``train.tsv`` and ``test.tsv``.
        root: Folder that the paths in them start from.
        classes: Names of the classes.
    """

    folder: Path
    root: Path
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Budget:
    """How long a model trains, and on how much at once.

    Args:
        epochs: Passes over the training videos.
        batch: Videos of a step.
        rate: Learning rate.
        workers: Processes that read videos.
        seed: Seed of the weights and of the order.
    """

    epochs: int
    batch: int
    rate: float
    workers: int
    seed: int = 0


def choose_budget(
    num_videos: int,
    *,
    finetune: bool,
    gpu: bool,
    cores: int,
    epochs: int | None = None,
    seed: int = 0,
) -> Budget:
    """Choose what suits the number of videos and the machine.

    Args:
        num_videos: Videos to train on.
        finetune: Whether the per-frame network learns.
        gpu: Whether there is a GPU.
        cores: Processor cores.
        epochs: Epochs if they are given.
        seed: Seed.

    Raises:
        ValueError: If ``epochs`` is below 1.
    """
    if epochs is not None and epochs < 1:
        raise ValueError(f'--epochs: expected 1 or more, got {epochs}')
    steps = 300 if not finetune else 600
    batch = min(8 if not finetune or gpu else 2, max(2, num_videos // 4))
    if epochs is None:
        epochs = round(steps * batch / num_videos)
        epochs = min(max(epochs, 5), 40)
    workers = min(cores, 8) if cores > 1 else 0
    return Budget(epochs, batch, 1e-4 if finetune else 1e-3, workers, seed)


def video_config(plan: Plan, lists: Lists, budget: Budget) -> Config:
    """Return the config that reads videos: training, test and prediction.

    Args:
        plan: The model.
        lists: The videos.
        budget: How long it trains.
    """
    dataset = dict(
        type='mmattn.ActionVideoDataset',
        delimiter='\t',
        data_prefix=dict(video=str(lists.root)),
        num_classes=plan.num_classes,
        metainfo=dict(classes=list(lists.classes)),
    )
    steps = _video_steps(plan, augmented=False)
    augmented = _video_steps(plan, augmented=plan.finetune)
    return _config(
        plan,
        budget,
        dict(dataset, ann_file=str(lists.folder / 'train.tsv'), pipeline=augmented),
        dict(dataset, ann_file=str(lists.folder / 'test.tsv'), pipeline=steps),
        stored=False,
    )


def stored_config(plan: Plan, lists: Lists, budget: Budget, maps: str | Path) -> Config:
    """Return the config that trains on stored maps of the frozen network.

    Args:
        plan: The model.
        lists: The videos.
        budget: How long it trains.
        maps: Folder of the maps.
    """
    dataset = dict(
        type='mmattn.FeatureDataset',
        data_prefix=dict(feature=str(maps)),
        num_classes=plan.num_classes,
        metainfo=dict(classes=list(lists.classes)),
        pipeline=[
            dict(type='mmattn.SampleWindows', window_frames=plan.num_frames),
            dict(type='mmattn.LoadFeatures'),
            dict(type='mmattn.PackClipInputs'),
        ],
    )
    cfg = _config(
        plan,
        budget,
        dict(dataset, ann_file=str(lists.folder / 'train_maps.tsv')),
        dict(dataset, ann_file=str(lists.folder / 'test_maps.tsv')),
        stored=True,
    )
    for loader in ('train_dataloader', 'test_dataloader'):
        cfg[loader].update(num_workers=0, persistent_workers=False)
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.train_cfg = dict(by_epoch=True, max_epochs=budget.epochs)
    return cfg


def _video_steps(plan: Plan, *, augmented: bool) -> list[dict[str, Any]]:
    """Frames of the whole video, as wholes: people may stand anywhere."""
    size = plan.trunk.size
    crop: list[dict[str, Any]] = [
        dict(type='Resize', scale=(size, size), keep_ratio=False)
    ]
    if augmented:
        large = round(size * 8 / 7)
        crop = [
            dict(type='Resize', scale=(large, large), keep_ratio=False),
            dict(type='RandomCrop', size=size),
            dict(type='Flip', flip_ratio=0.5),
        ]
    return [
        dict(type='mmattn.VideoInit', num_threads=1),
        dict(type='mmattn.SampleSpacedFrames', num_frames=plan.num_frames),
        dict(type='mmattn.VideoDecode'),
        *crop,
        dict(type='FormatShape', input_format='NCHW'),
        dict(type='mmattn.PackClipInputs'),
    ]


def _config(
    plan: Plan, budget: Budget, train: dict, test: dict, *, stored: bool
) -> Config:
    runtime = Config.fromfile(configs_root() / '_base_' / 'default_runtime.py')
    several = dict(num_workers=budget.workers, persistent_workers=budget.workers > 0)
    test_loader = dict(
        batch_size=1,
        **several,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(test, test_mode=True),
    )
    cfg = Config(dict(runtime._cfg_dict.to_dict()))
    cfg.merge_from_dict(
        dict(
            model=system_model(plan, stored=stored),
            train_dataloader=dict(
                batch_size=budget.batch,
                **several,
                sampler=dict(type='mmattn.SeededSampler', shuffle=True),
                dataset=train,
            ),
            val_dataloader=test_loader,
            test_dataloader=test_loader,
            val_evaluator=dict(type='AccMetric', metric_list='top_k_accuracy'),
            test_evaluator=dict(type='AccMetric', metric_list='top_k_accuracy'),
            test_pipeline=test['pipeline'],
            # Never on the test videos before the end: nothing is chosen by them.
            train_cfg=dict(
                type='EpochBasedTrainLoop',
                max_epochs=budget.epochs,
                val_begin=budget.epochs,
                val_interval=budget.epochs,
            ),
            val_cfg=dict(type='ValLoop'),
            test_cfg=dict(type='TestLoop'),
            optim_wrapper=dict(
                type='OptimWrapper',
                optimizer=dict(type='AdamW', lr=budget.rate, weight_decay=0.01),
                clip_grad=dict(max_norm=5.0),
            ),
            param_scheduler=[
                dict(
                    type='OneCycleLR',
                    eta_max=budget.rate,
                    total_steps=budget.epochs,
                    by_epoch=True,
                    convert_to_iter_based=True,
                )
            ],
            randomness=dict(seed=budget.seed),
            class_names=test['metainfo']['classes'],
        )
    )
    interval = 1 if plan.finetune else budget.epochs  # heads train in seconds
    cfg.default_hooks.checkpoint = dict(
        type='CheckpointHook', interval=interval, max_keep_ckpts=1
    )
    return cfg


def write_config(path: Path, cfg: Config) -> Path:
    """Write a config; one that somebody has edited is not overwritten.

    Args:
        path: File to write.
        cfg: The config.

    Raises:
        ValueError: If another config stands there.
    """
    text = (
        f'# Written by `mmattn train`; edit it, and run: mim train mmattn {path.name}\n'
    )
    text += cfg.pretty_text
    if path.is_file() and path.read_text(encoding='utf-8') != text:
        raise ValueError(
            f'{path}: expected the config of these data and options, got another one: '
            f'run it with mim train mmattn {path}, or take another folder with --out'
        )
    return write_text(path, text)
