"""A clip as a model sees it, scored with parts of it taken away."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor

from mmattn.inference.inputs import NetworkInput
from mmattn.inference.models import class_explained, is_detector, probabilities


class ScoredClip:
    """One video, as frames that can be changed and the score that is explained.

    A frame is one unit however often the input repeats it, as overlapping windows do.

    Args:
        model: Recognizer or detector in eval mode.
        seen: What it sees of the video.
        class_index: The class that is explained; the best one if None. Of a detector an
            action, background included in the count, as in its scores.
        person: Index of the region whose score is explained; for detectors only.
        batch_clips: Clips that are scored at once.

    Raises:
        ValueError: If the class or the person does not exist, or the input holds
            several crops of a frame.
    """

    def __init__(
        self,
        model: Any,
        seen: NetworkInput,
        *,
        class_index: int | None = None,
        person: int = 0,
        batch_clips: int = 8,
    ) -> None:
        self.model, self.seen, self.person = model, seen, person
        self.batch_clips = batch_clips
        self.numbers, rows = np.unique(seen.numbers, return_inverse=True)
        self.rows = torch.from_numpy(rows.reshape(seen.numbers.shape))
        self.frames = self._unique_frames()
        scores = self._all_scores([self.frames])[0]
        self.class_index = class_explained(model, scores, class_index)
        self.score = float(scores[self.class_index])

    def scores(self, clips: Sequence[Tensor]) -> np.ndarray:
        """Score changed versions of the clip.

        Args:
            clips: Frames (F, C, H, W) of each.

        Returns:
            Probability of the class, (clips,).
        """
        return self._all_scores(clips)[:, self.class_index] if clips else np.zeros(0)

    def with_model(self, model: Any) -> 'ScoredClip':
        """Return the same clip and class, seen by another model.

        Args:
            model: A model of the same kind.
        """
        other = copy.copy(self)
        other.model = model
        return other

    def item(self) -> dict[str, Any]:
        """Return what the pipeline packs of the clip as it is, to be changed freely."""
        return self._item_of(self.frames)

    def _unique_frames(self) -> Tensor:
        """Each frame once, in the order of numbers, (F, C, H, W)."""
        inputs = self.seen.inputs
        slots = inputs.transpose(1, 2).flatten(0, 1) if inputs.ndim == 5 else inputs
        rows = self.rows.flatten()
        first = torch.full((len(self.numbers),), len(rows))
        first = first.scatter_reduce(0, rows, torch.arange(len(rows)), 'amin')
        frames = slots[first]
        if not torch.equal(frames[rows], slots):
            raise ValueError(
                'test_pipeline: expected one crop of each frame, to take parts of it '
                'away, got several'
            )
        return frames

    def _all_scores(self, clips: Sequence[Tensor]) -> np.ndarray:
        """Probabilities of all classes, (clips, K)."""
        found = []
        with torch.no_grad(), probabilities(self.model):
            for start in range(0, len(clips), self.batch_clips):
                part = clips[start : start + self.batch_clips]
                batch = pseudo_collate([self._item_of(frames) for frames in part])
                found += [self._scores_of(x) for x in self.model.test_step(batch)]
        return np.stack(found)

    def _item_of(self, frames: Tensor) -> dict[str, Any]:
        rows = frames[self.rows]  # (R, T, C, H, W)
        are_clips = self.seen.inputs.ndim == 5
        inputs = rows.transpose(1, 2) if are_clips else rows[:, 0]
        if self.seen.collapsed:
            inputs = inputs[0]
        sample = copy.deepcopy(self.seen.item['data_samples'])
        return dict(inputs=inputs, data_samples=sample)

    def _scores_of(self, sample: Any) -> np.ndarray:
        if is_detector(self.model):
            scores = sample.pred_instances.scores
            if not 0 <= self.person < len(scores):
                raise ValueError(
                    f'person: expected 0 to {len(scores) - 1}, got {self.person}'
                )
            scores = scores[self.person]
        else:
            scores = sample.pred_score
        scores = scores.detach().double().cpu().numpy()
        if scores.ndim != 1 or scores.min() < 0 or scores.max() > 1 + 1e-5:
            raise ValueError(
                'model: expected a probability of each class, got scores of shape '
                f'{scores.shape} from {scores.min():.3g} to {scores.max():.3g}'
            )
        return scores
