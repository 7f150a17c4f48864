"""Systems against their twins on labeled clips, and two dumps of one test."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mmattn.attention.capture import capture_attention
from mmattn.comparison.clips import read_clips
from mmattn.comparison.result import Comparison, Cost, Row, paired_row
from mmattn.comparison.statistics import grouped_mean
from mmattn.comparison.stored import StoredClips, Trunk, store_clips
from mmattn.comparison.systems import FORMS, SYSTEMS, TUNED, TWINS, StoredModel, System
from mmattn.comparison.training import (
    Choice,
    Recipe,
    fit,
    folds_of,
    model_inputs,
    num_searched,
    pays,
    probabilities,
    scaled,
    searched,
    shapes_of,
)
from mmattn.evaluation import load_scores
from mmattn.utils.alignment import align_videos
from mmattn.utils.arguments import require_choice
from mmattn.utils.progress import progress_bar

OVER_FRAMES = ('frame_weights', 'positions', 'frame_gates')  # maps that weigh frames


@dataclass
class _Arm:
    """What one arm of a system did on all clips and seeds."""

    right: np.ndarray  # (seeds, N)
    left_out: np.ndarray  # (N,), where the twin stands for the tuned form
    cost: Cost | None = None
    middle: list[float] = field(default_factory=list)
    kept: int = 0  # folds


def compare(
    data: str | Path,
    systems: Sequence[str] = tuple(SYSTEMS),
    *,
    seeds: int = 5,
    forms: Sequence[str] = FORMS,
    out: str | Path = 'work_dirs/compare',
    trunk: Trunk | None = None,
    recipe: Recipe | None = None,
    search: bool = False,
    progress: bool = True,
) -> Comparison:
    """Train systems and their twins without attention on the same clips and folds.

    The trunk is frozen; its maps are computed once and kept in ``out/features``. Each
    clip is tested by models that saw no clip of its group.

    Args:
        data: Labeled clips, see :func:`mmattn.comparison.clips.read_clips`.
        systems: Names of systems, 'none' for the mean of the frames.
        seeds: Trainings of each model on each fold.
        forms: 'paper', 'tuned' or both.
        out: Folder for the features.
        trunk: The frozen network, EfficientNet-Lite0 by default.
        recipe: How models in the paper's form and their twins are trained. Those of
            the tuned form choose theirs among ``RECIPES``, in each fold anew by
            cross-validation inside of the training groups. In folds in which the
            tuned form is not right more often there, by more than one standard error,
            its twin stands for it.
        search: Whether the others choose their recipe, too.
        progress: Whether to show progress bars.

    Raises:
        ValueError: If an option is out of range, or the clips are too few.
    """
    for name in systems:
        require_choice('systems', name, SYSTEMS)
    for form in forms:
        require_choice('forms', form, FORMS)
    if seeds < 1 or not systems:
        raise ValueError(
            f'seeds and systems: expected one or more, got {seeds} and {list(systems)}'
        )
    clips = read_clips(data)
    stored = store_clips(clips, Path(out) / 'features', trunk=trunk, progress=progress)
    return compare_stored(
        stored,
        systems,
        seeds=seeds,
        forms=forms,
        recipe=recipe,
        search=search,
        progress=progress,
    )


def compare_stored(
    stored: StoredClips,
    systems: Sequence[str] = tuple(SYSTEMS),
    *,
    seeds: int = 5,
    forms: Sequence[str] = FORMS,
    recipe: Recipe | None = None,
    search: bool = False,
    progress: bool = True,
) -> Comparison:
    """Do what :func:`compare` does, on stored maps; the options are those there."""
    folds = folds_of(stored)
    start = time.process_time()
    chosen = None if search else recipe or Recipe()
    arms = {name: _arms(SYSTEMS[name], forms) for name in systems}
    numbers, groups = np.unique(folds), stored.groups.numpy()
    inner = sum(num_searched(groups[folds != fold]) for fold in numbers)
    total = sum(
        seeds * len(numbers) + (inner if chosen is None or arm in TUNED else 0)
        for found in arms.values()
        for arm in found
    )
    bar = progress_bar(total=total, description='trainings', shown=progress)
    rows = []
    for name in systems:
        bar.set_description(name)
        done = _run(stored, SYSTEMS[name], arms[name], folds, seeds, chosen, bar.update)
        rows += [
            _row(stored, name, arm, done)
            for arm in arms[name]
            if name == 'none' or arm not in TWINS.values()
        ]
    bar.close()
    minutes = (time.process_time() - start) / 60
    return Comparison(
        rows=rows,
        classes=stored.classes,
        num_clips=len(stored),
        num_groups=len(torch.unique(stored.groups)),
        grouped=stored.grouped,
        num_folds=len(numbers),
        seeds=seeds,
        minutes=minutes,
        most_frequent=float(stored.labels.bincount().max()) / len(stored),
    )


def compare_dumps(first: str | Path, second: str | Path) -> Comparison:
    """Compare two dumps of one test, video by video.

    Args:
        first: File of ``tools/test.py --dump``, the twin.
        second: Another of the same videos.

    Raises:
        ValueError: If they do not hold the same videos with the same labels.
    """
    a, b = load_scores(first), load_scores(second)
    for scores in (a, b):
        if scores.multi_label:
            raise ValueError(
                f'{scores.name}: expected one label of each video, got several'
            )
    chosen = align_videos(b, a)
    predicted = [a.scores.argmax(axis=1), b.scores[chosen].argmax(axis=1)]
    right = [(x == a.labels).astype(float) for x in predicted]
    N, K = len(a.labels), a.scores.shape[1]
    groups = np.arange(N)
    row = paired_row(
        Path(second).stem, 'dump', *right, labels=a.labels, groups=groups, num_classes=K
    )
    return Comparison(
        rows=[row],
        classes=[str(k) for k in range(K)],
        num_clips=N,
        num_groups=N,
        grouped=False,
        num_folds=1,
        seeds=1,
        most_frequent=float(np.bincount(a.labels).max()) / N,
    )


def _arms(system: System, forms: Sequence[str]) -> list[str]:
    if system is SYSTEMS['none']:
        return ['twin']
    return [arm for form in forms for arm in (TWINS[form], form)]


def _run(
    stored: StoredClips,
    system: System,
    arms: Sequence[str],
    folds: np.ndarray,
    seeds: int,
    recipe: Recipe | None,
    done: Callable[[], Any],
) -> dict[str, _Arm]:
    """Train and test all arms of a system; without ``recipe`` each chooses its own."""
    inputs, shapes = model_inputs(stored, system), shapes_of(stored, system)
    groups, labels = stored.groups.numpy(), stored.labels
    N = len(stored)
    found = {arm: _Arm(np.zeros((seeds, N)), np.zeros(N, dtype=bool)) for arm in arms}
    for fold in np.unique(folds):
        train, test = torch.from_numpy(folds != fold), folds == fold
        known, unknown = scaled(
            system, tuple(x[train] for x in inputs), tuple(x[~train] for x in inputs)
        )
        choices: dict[str, Choice] = {}
        for arm, result in found.items():
            if recipe is None or arm in TUNED:
                choice = searched(
                    system, arm, shapes, known, labels[train], groups[~test], done=done
                )
            else:
                choice = Choice(recipe)
            choices[arm] = choice
            left_out = arm == 'tuned' and not pays(
                choice, choices[TWINS[arm]], groups[~test]
            )
            result.left_out[test] = left_out
            result.kept += not left_out
            for seed in range(seeds):
                model = fit(
                    system, arm, shapes, known, labels[train], choice.recipe, seed
                )
                predicted = probabilities(model, unknown).argmax(dim=1)
                result.right[seed, test] = predicted == labels[~train]
                result.middle += middle_share(model, unknown)
                done()
            result.cost = _cost(model, unknown)
    return found


def _row(stored: StoredClips, name: str, arm: str, done: dict[str, _Arm]) -> Row:
    groups = stored.groups.numpy()
    own, twin = done[arm], done[TWINS.get(arm, 'twin')]
    chosen = np.where(own.left_out, twin.right, own.right)
    other, tuned = twin.right.mean(axis=0), arm == 'tuned'
    row = paired_row(
        name,
        '' if name == 'none' else arm,
        other,
        chosen.mean(axis=0),
        labels=stored.labels.numpy(),
        groups=groups,
        num_classes=len(stored.classes),
    )
    return replace(
        row,
        gain=None if name == 'none' else row.gain,
        cost=own.cost,
        twin_cost=twin.cost,
        middle=float(np.mean(own.middle)) if own.middle else None,
        kept=(own.kept, twin.kept) if tuned else None,
        always=grouped_mean(own.right.mean(axis=0) - other, groups) if tuned else None,
        seed_spread=float(chosen.mean(axis=1).std()),
    )


@torch.no_grad()
def _cost(model: StoredModel, inputs: tuple[Tensor, ...]) -> Cost:
    """Of the head and what stands before it, not of the trunk, for one clip."""
    one = tuple(x[:1] for x in inputs)
    with FlopCounterMode(display=False) as counter:
        model(one)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        model(one)
        times.append(time.perf_counter() - start)
    parameters = sum(p.numel() for p in model.parameters())
    return Cost(parameters, counter.get_total_flops() // 2, 1000 * float(min(times)))


@torch.no_grad()
def middle_share(model: StoredModel, inputs: tuple[Tensor, ...]) -> list[float]:
    """Share of the attention over frames that lies on the middle third of a clip.

    Args:
        model: The model.
        inputs: Maps of clips.

    Returns:
        A share for each map that weighs frames; uniform attention has the share of the
        frames, a third of a number that three divides.
    """
    shares = []
    with capture_attention(model) as records:
        model(tuple(x[:8] for x in inputs))
    for record in records:
        if record.name.rpartition('.')[2] not in OVER_FRAMES:
            continue
        frame = record.axes.index('frame')
        others = [k for k in range(1, record.map.ndim) if k != frame]
        weights = torch.as_tensor(record.map).float()
        weights = weights.mean(dim=others) if others else weights
        T = weights.shape[1]
        positions = (2 * torch.arange(T) + 1) / (2 * T)  # in fractions of the clip
        inside = (positions > 1 / 3) & (positions < 2 / 3)
        shares.append((weights[:, inside].sum(1) / weights.sum(1)).mean().item())
    return shares
