"""Train a system on videos of one's own: from a folder to a page."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope

from mmattn.evaluation import load_scores
from mmattn.front.configs import (
    Budget,
    Lists,
    choose_budget,
    stored_config,
    video_config,
    write_config,
)
from mmattn.front.detection import is_detection_folder, train_detector
from mmattn.front.outcome import judge
from mmattn.front.pages import write_page
from mmattn.front.runs import run_test, run_training, write_model
from mmattn.front.splits import SHARE, class_counts, split_videos
from mmattn.front.stored import store_maps
from mmattn.front.systems import Plan, system_model
from mmattn.front.training import CHECKPOINT, Training
from mmattn.front.trunks import DEFAULT, find_trunk
from mmattn.prepare.own_videos import Clip, OwnVideos, read_own_videos
from mmattn.prepare.own_videos_check import check_own_videos
from mmattn.utils.files import write_text
from mmattn.utils.logs import quiet_log
from mmattn.visualization.attention_pictures import writable_folder


def train(
    data: str | Path,
    system: str = 'temporal_lstm',
    *,
    out: str | Path | None = None,
    backbone: str = DEFAULT,
    weights: str | None = None,
    frames: int = 16,
    epochs: int | None = None,
    finetune: bool = False,
    attention: bool = True,
    tuned: bool = False,
    share: float = SHARE,
    maps: str | Path | None = None,
    seed: int = 0,
    dry_run: bool = False,
    progress: bool = True,
) -> Training:
    """Train a system on videos of one's own, test it, and write a page about it.

    Videos are checked, and held out for the test by group or by class. The per-frame
    network is frozen: what it makes of the videos is stored once, and the rest of the
    model trains on that. The same call goes on where an interrupted one has stopped.

    Args:
        data: Folder with a folder of videos for each class, folder with ``train`` and
            ``val`` of that kind, list, or csv with the columns path, label and, if
            there are any, group; or persons and their actions in AVA's layout, which
            :func:`mmattn.front.detection.train_detector` takes.
        system: ``'temporal_lstm'``, ``'stbta'``, ``'pyramid'``, ``'convlstm'``,
            ``'slowfast_attn'``, or ``'none'`` for the mean of the frames.
        out: Folder for everything; by default one in ``work_dirs``, named after data
            and system.
        backbone: Per-frame network, a key of :data:`mmattn.front.trunks.TRUNKS`.
        weights: Its weights, a file or address in any published layout, or ``'none'``;
            by default those that are installed with it.
        frames: Frames of a video that the model sees.
        epochs: Epochs; chosen by the number of videos where it is None.
        finetune: Whether the per-frame network learns, too; nothing is stored then.
        attention: False for the system's twin without attention.
        tuned: Whether to train the recommended form of the system, where it is another
            than the default, see :data:`mmattn.front.systems.TUNED`.
        share: Share of the videos to hold out where the data do not say which.
        maps: Folder of what is stored of the network, which runs on the same videos
            may share; by default one in ``out``.
        seed: Seed of the split and of the training.
        dry_run: Whether to stop when lists and config are written.
        progress: Whether to print how it goes.

    Returns:
        What it has left.

    Raises:
        ValueError: If an option or the data do not fit; says what is wrong with which.
        OSError: If a file is missing, or cannot be read or written.
    """
    say = print if progress else lambda *args: None
    if is_detection_folder(data):
        if tuned or not attention:
            raise ValueError(
                f'{data}: expected neither --tuned nor --baseline with boxes of persons'
            )
        return train_detector(
            data,
            system,
            out=out or Path('work_dirs', f'{Path(data).resolve().stem}-{system}'),
            weights=weights,
            epochs=epochs,
            seed=seed,
            dry_run=dry_run,
            progress=progress,
        )
    own = read_own_videos(data)
    trunk, path = find_trunk(backbone, weights, finetune=finetune)
    plan = Plan(
        system,
        trunk,
        path,
        max(len(own.classes), 2),
        frames,
        finetune,
        attention,
        tuned,
    )
    with quiet_log():
        model = _model(plan)
    folder = writable_folder(out or _default_folder(Path(data), plan))
    own = check_own_videos(
        own, folder / 'checked.jsonl', workers=_cores(), progress=progress
    )
    try:
        clips, split = split_videos(own.clips, share=share, seed=seed)
    except ValueError as error:  # what was left out may be why
        raise ValueError('\n'.join([str(error), *own.notes])) from None
    plan = replace(plan, num_classes=len(own.classes))
    notes = [*own.notes, split]
    say(_described(own))
    for note in notes:
        say(note)
    lists = _write_lists(folder, own, clips)
    budget = choose_budget(
        sum(clip.part == 'train' for clip in clips),
        finetune=finetune,
        gpu=torch.cuda.is_available(),
        cores=_cores(),
        epochs=epochs,
        seed=seed,
    )
    cfg = video_config(plan, lists, budget)
    config = write_config(folder / f'{_name(plan)}.py', cfg)
    say(_planned(backbone, plan, budget))
    done = Training(folder, config, notes=notes)
    if dry_run:
        return done
    if model.cls_head.num_classes != plan.num_classes:
        with quiet_log():
            model = _model(plan)
    used = cfg
    if not finetune:
        stored = store_maps(
            cfg,
            plan,
            model,
            maps or folder / 'maps',
            device='cuda' if torch.cuda.is_available() else 'cpu',
            progress=progress,
        )
        used = stored_config(plan, lists, budget, stored)
    runs = folder / 'training'
    trained = run_training(used, runs, progress=progress)
    checkpoint = write_model(folder / CHECKPOINT, cfg, trained, model)
    scores = folder / 'scores.pkl'
    run_test(used, trained, runs, scores)
    found = load_scores(scores)
    outcome = judge(
        found, class_counts(c for c in clips if c.part == 'train'), own.classes
    )
    page = write_page(
        folder / 'report.html', cfg, checkpoint, found, outcome=outcome, notes=notes
    )
    return Training(folder, config, checkpoint, page, scores, outcome, notes)


def _model(plan: Plan) -> Any:
    """The model on frames, with the weights of its network: faults show at once."""
    init_default_scope('mmaction')
    model = MODELS.build(system_model(plan))
    model.init_weights()
    return model


def _default_folder(data: Path, plan: Plan) -> Path:
    return Path('work_dirs', f'{data.resolve().stem}-{_name(plan)}')


def _name(plan: Plan) -> str:
    name = f'{plan.system}-tuned' if plan.tuned else plan.system
    return name if plan.attention else f'{name}-baseline'


def _cores() -> int:
    has_affinity = hasattr(os, 'sched_getaffinity')
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def _write_lists(folder: Path, own: OwnVideos, clips: list[Clip]) -> Lists:
    root = own.root.resolve()
    for part in ('train', 'test'):
        lines = [
            f'{os.path.relpath(clip.path.absolute(), root)}\t'
            f'{own.classes.index(clip.label)}\n'
            for clip in clips
            if clip.part == part
        ]
        write_text(folder / f'{part}.tsv', ''.join(lines))
    write_text(folder / 'classes.txt', '\n'.join(own.classes) + '\n')
    return Lists(folder.resolve(), root, tuple(own.classes))


def _described(own: OwnVideos) -> str:
    counts: Counter[str] = class_counts(own.clips)
    names = ', '.join(f'{name} {counts[name]}' for name in own.classes[:12])
    more = f' and {len(own.classes) - 12} more' if len(own.classes) > 12 else ''
    return f'{len(own.clips)} videos of {len(own.classes)} classes: {names}{more}'


def _planned(backbone: str, plan: Plan, budget: Budget) -> str:
    how = 'fine-tuned' if plan.finetune else 'frozen'
    return (
        f'{_name(plan)} on {backbone} ({how}): {plan.num_frames} frames of a video, '
        f'{budget.epochs} epochs, batch {budget.batch}, learning rate {budget.rate:g}'
    )
