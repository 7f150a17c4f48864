"""Training on stored maps: one recipe, and a small search for another."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmattn.comparison.statistics import grouped_mean
from mmattn.comparison.stored import StoredClips
from mmattn.comparison.systems import Shapes, StoredModel, System

COMPONENTS = 256  # of the top scale's channels, for systems that take maps


@dataclass(frozen=True)
class Recipe:
    """How a model is trained: AdamW with a rate that falls to 0 like a cosine.

    Args:
        lr: First learning rate.
        weight_decay: As in AdamW.
        updates: Steps of the optimizer.
        batch_size: Clips of a step.
    """

    lr: float = 3e-3
    weight_decay: float = 1e-2
    updates: int = 60
    batch_size: int = 16


RECIPES = (Recipe(), Recipe(lr=1e-2))  # that are tried
INNER_FOLDS = 5  # of the training clips, in which they are tried
INNER_SEEDS = 3  # trainings of each on each of these folds


@dataclass(frozen=True, eq=False)
class Choice:
    """A recipe that cross-validation chose.

    Args:
        recipe: The recipe.
        right: Share of the trainings in which each training clip, held out, was right
            with it, (N,); None where none could be held out.
    """

    recipe: Recipe
    right: np.ndarray | None = None


def model_inputs(data: StoredClips, system: System) -> tuple[Tensor, ...]:
    """Maps of the frames that a system takes, spaced over the stored ones.

    Args:
        data: The clips.
        system: The system.

    Shape:
        - Output: float32 (N, T, C_j, h, w), or (N, T, C, 1, 1) for means.
    """
    T = data.maps[-1].shape[1]
    K = min(system.num_frames, T)
    chosen = (2 * torch.arange(K) + 1) * T // (2 * K)
    if system.pooled:
        top = data.maps[-1][:, chosen].float()
        return (top.mean(dim=(3, 4), keepdim=True),)
    return tuple(
        pooled(x[:, chosen].float(), system.positions, top=k == len(data.maps) - 1)
        for k, x in enumerate(data.maps)
    )


def pooled(x: Tensor, positions: int, *, top: bool) -> Tensor:
    """Reduce maps to fewer rows and columns, the top scale by means, others by maxima.

    Args:
        x: Maps.
        positions: Most rows and columns.
        top: Whether it is the top scale.

    Shape:
        - Input: (N, T, C, h, w).
        - Output: (N, T, C, h', w').
    """
    h, w = (min(side, positions) for side in x.shape[-2:])
    pool = F.adaptive_avg_pool2d if top else F.adaptive_max_pool2d
    return pool(x.flatten(0, 1), (h, w)).unflatten(0, x.shape[:2])


def scaled(
    system: System, known: tuple[Tensor, ...], unknown: tuple[Tensor, ...]
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Scale maps by those of the training clips.

    The mean of each channel over a frame gets mean 0 and deviation 1. Where a system
    takes maps, the principal components of the top scale then stand for its channels,
    which makes training some four times cheaper.

    Args:
        system: The system.
        known: Maps of the training clips.
        unknown: Maps of other clips.

    Shape:
        - Input: (N, T, C_j, h, w), one for each scale.
        - Output: the same, the top one with ``COMPONENTS`` channels at most.
    """
    both = [known, unknown]
    for k, x in enumerate(known):
        std, mean = torch.std_mean(x.mean(dim=(3, 4)), dim=(0, 1))
        std = std + 0.1 * std.mean()  # channels that hardly vary stay small
        mean, std = mean[:, None, None], std[:, None, None]
        both = [(*y[:k], (y[k] - mean) / std, *y[k + 1 :]) for y in both]
    if not system.pooled:
        basis = principal(both[0][-1])  # (C, k)
        both = [(*y[:-1], torch.einsum('ntchw,ck->ntkhw', y[-1], basis)) for y in both]
    return both[0], both[1]


def principal(x: Tensor, num_rows: int = 4096) -> Tensor:
    """First principal components of maps; the mean over a frame gets deviation 1.

    Args:
        x: Maps.
        num_rows: Places of frames, spaced over all, from which they are computed.

    Shape:
        - Input: (N, T, C, h, w).
        - Output: (C, k), with k of C and ``COMPONENTS`` at most.
    """
    rows = x.movedim(2, -1).flatten(0, -2)  # (N T h w, C)
    rows = rows[:: max(len(rows) // num_rows, 1)]
    basis = torch.linalg.eigh(rows.T @ rows).eigenvectors.flip(1)[:, :COMPONENTS]
    means = x.mean(dim=(3, 4)) @ basis
    return basis / means.square().mean().sqrt()


def shapes_of(data: StoredClips, system: System) -> Shapes:
    """What a system is built for on these clips."""
    h, w = (min(side, system.positions) for side in data.maps[-1].shape[-2:])
    *lower, top = (x.shape[2] for x in data.maps)
    channels = (*lower, top if system.pooled else min(top, COMPONENTS))
    num_frames = min(system.num_frames, data.maps[-1].shape[1])
    return Shapes(len(data.classes), channels, (h, w), num_frames)


def fit(
    system: System,
    arm: str,
    shapes: Shapes,
    inputs: tuple[Tensor, ...],
    labels: Tensor,
    recipe: Recipe,
    seed: int,
) -> StoredModel:
    """Train a model on all of these clips.

    Args:
        system: The system.
        arm: One of ``ARMS``.
        shapes: What it is built for.
        inputs: What :func:`scaled` returned, for the training clips.
        labels: Their classes.
        recipe: How.
        seed: Of the first weights and of the order of the clips.
    """
    torch.manual_seed(seed)
    model = StoredModel(system, shapes, arm)
    optimizer = torch.optim.AdamW(
        model.parameters(), recipe.lr, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.updates)
    model.train()
    order = torch.tensor([], dtype=torch.long)
    for _ in range(recipe.updates):
        if len(order) < min(recipe.batch_size, len(labels)):
            order = torch.cat([order, torch.randperm(len(labels))])
        batch, order = order[: recipe.batch_size], order[recipe.batch_size :]
        loss = model.loss(tuple(x[batch] for x in inputs), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def probabilities(model: StoredModel, inputs: tuple[Tensor, ...]) -> Tensor:
    """Probabilities of the classes, (N, classes)."""
    parts = zip(*[x.split(32) for x in inputs], strict=True)
    return torch.cat([model(part) for part in parts])


def folds_of(data: StoredClips, num_folds: int = 5) -> np.ndarray:
    """Fold in which each clip is tested; see :func:`dealt`.

    Args:
        data: The clips.
        num_folds: Most folds; there are no more than groups.

    Raises:
        ValueError: If all clips are of one group.
    """
    groups = data.groups.numpy()
    if len(np.unique(groups)) < 2:
        raise ValueError('group: expected two or more, got 1 for all clips')
    return dealt(data.labels.numpy(), groups, num_folds)


def dealt(labels: np.ndarray, groups: np.ndarray, num_folds: int) -> np.ndarray:
    """Deal clips out to folds.

    Groups, largest first, go to the fold with the fewest clips; where each clip is a
    group of its own, each class is dealt out to the folds.

    Args:
        labels: Classes of the clips.
        groups: Groups of the clips.
        num_folds: Most folds; there are no more than groups.

    Shape:
        - Input, output: (N,).
    """
    rng = np.random.default_rng(0)
    names, counts = np.unique(groups, return_counts=True)
    num_folds = min(num_folds, len(names))
    if len(names) == len(labels):
        folds = np.zeros(len(labels), dtype=int)
        start = 0
        for label in np.unique(labels):
            members = rng.permutation(np.flatnonzero(labels == label))
            folds[members] = (start + np.arange(len(members))) % num_folds
            start += len(members)
        return folds
    sizes = np.zeros(num_folds)
    fold_of = {}
    shuffled = rng.permutation(len(names))
    for k in sorted(shuffled, key=lambda k: -counts[k]):
        fold_of[names[k]] = int(sizes.argmin())
        sizes[fold_of[names[k]]] += counts[k]
    return np.array([fold_of[group] for group in groups])


def searched(
    system: System,
    arm: str,
    shapes: Shapes,
    inputs: tuple[Tensor, ...],
    labels: Tensor,
    groups: np.ndarray,
    *,
    done: Callable[[], Any] = lambda: None,
) -> Choice:
    """Choose a recipe by three trainings in each of five folds of the training clips.

    Args:
        system: The system.
        arm: One of ``ARMS``.
        shapes: What it is built for.
        inputs: Of the training clips, see :func:`scaled`.
        labels: Of the training clips.
        groups: Of the training clips.
        done: Called after each training; there are :func:`num_searched`.

    Returns:
        The one of ``RECIPES`` with the least mean negative log-likelihood of the clips
        held out; the first one where all clips are of one group.
    """
    if not num_searched(groups):
        return Choice(RECIPES[0])
    folds = dealt(labels.numpy(), groups, INNER_FOLDS)
    losses = np.zeros(len(RECIPES))
    right = np.zeros((len(RECIPES), len(labels)))
    for held in (torch.from_numpy(folds == fold) for fold in np.unique(folds)):
        known, unknown = (tuple(x[part] for x in inputs) for part in (~held, held))
        for (k, recipe), seed in product(enumerate(RECIPES), range(INNER_SEEDS)):
            model = fit(system, arm, shapes, known, labels[~held], recipe, seed)
            found = probabilities(model, unknown)
            nll = F.nll_loss(found.clamp_min(1e-9).log(), labels[held], reduction='sum')
            losses[k] += nll.item()
            hit = found.argmax(dim=1) == labels[held]
            right[k, held.numpy()] += hit.numpy() / INNER_SEEDS
            done()
    best = int(losses.argmin())
    return Choice(RECIPES[best], right[best])


def num_searched(groups: np.ndarray) -> int:
    """Trainings of :func:`searched`; 0 where all clips are of one group."""
    num_groups = len(np.unique(groups))
    folds = min(INNER_FOLDS, num_groups) if num_groups > 1 else 0
    return folds * len(RECIPES) * INNER_SEEDS


def pays(attention: Choice, twin: Choice, groups: np.ndarray) -> bool:
    """Whether attention was right more often than its twin, by over a standard error.

    Args:
        attention: What was chosen with attention.
        twin: What was chosen without, on the same clips.
        groups: Their groups.

    Returns:
        True where none of the clips could be held out.
    """
    if attention.right is None or twin.right is None:
        return True
    gain = grouped_mean(attention.right - twin.right, groups)
    return gain.mean > gain.error
