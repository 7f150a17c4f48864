"""What the heads share that predict the class in each step of a sequence."""

import math
from abc import abstractmethod
from typing import Literal

import torch
from mmaction.evaluation import top_k_accuracy
from mmaction.models.heads import BaseHead
from mmaction.structures import ActionDataSample
from torch import Tensor
from torch.nn import functional as F

from mmattn.models.heads.class_counts import require_several_classes
from mmattn.signatures import Component, Positive


class SequenceHead(BaseHead):
    """Losses and scores of sequences that are classified once per step.

    A video is one sequence of frames or several (windows, crops). The training loss of
    a sequence is that of its steps, and that of a batch the mean over its sequences.
    The test score is the mean over the last ``test_steps`` steps, all where a subclass
    sets no other number, and of a video the mean over its sequences. Subclasses define
    :meth:`step_logits` and the classifier ``fc_cls``.

    Args:
        num_classes: Number of action classes.
        in_channels: Width of the frame features.
        num_segments: Frames T of a sequence.
        step_reduction: 'sum' or 'mean' of the steps' losses.
        loss_cls: Config of the loss of one step.
        label_smooth_eps: Weight of the uniform distribution in the labels.
        topk: Accuracies to log; numbers above ``num_classes`` become ``num_classes``.
        average_clips: Average over steps and sequences of 'prob' (probabilities) or
            'score' (logits).
        init_cfg: As in MMEngine; by default N(0, 0.01) in the classifier.

    Raises:
        ValueError: If an option is out of range, or frames or labels do not fit it.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: Positive,
        *,
        num_segments: Positive = 30,
        step_reduction: Literal['sum', 'mean'] = 'mean',
        loss_cls: Component | None = None,
        label_smooth_eps: float = 0.0,
        topk: int | tuple[int, ...] = (1, 5),
        average_clips: Literal['prob', 'score'] = 'prob',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        ks = (topk,) if isinstance(topk, int) else topk
        super().__init__(
            num_classes,
            in_channels,
            loss_cls=loss_cls or {'type': 'mmaction.CrossEntropyLoss'},
            label_smooth_eps=label_smooth_eps,
            topk=tuple(dict.fromkeys(min(k, num_classes) for k in ks)),
            average_clips=average_clips,
            init_cfg=init_cfg
            or {'type': 'Normal', 'std': 0.01, 'override': {'name': 'fc_cls'}},
        )
        require_several_classes(self)
        self.num_segments = num_segments
        self.test_steps = num_segments
        self.step_reduction = step_reduction

    def forward(
        self,
        x: Tensor,
        num_segs: int | None = None,
        *,
        frames_per_video: list[int] | None = None,
        fcn_test: bool = False,
        loss_aux: dict | None = None,
    ) -> Tensor:
        """Test score of each sequence, as logits.

        With ``average_clips='prob'`` their softmax is the mean probability of the
        last ``test_steps`` steps, with 'score' they are the mean logits.

        Args:
            x: Features of the frames, see the class.
            num_segs: Frames of each video, where all have equally many.
            frames_per_video: Frames of each video, where they differ.
            fcn_test: Must be False; the host's fully convolutional test has no frames.
            loss_aux: Unused; the host's recognizer passes it.
        """
        self._sequence_counts(len(x), num_segs, frames_per_video, fcn_test)
        return self.sequence_scores(self.step_logits(x))

    @abstractmethod
    def step_logits(self, x: Tensor) -> Tensor:
        """Logits of each sequence in each step, (S, steps, num_classes)."""

    def sequence_scores(self, logits: Tensor) -> Tensor:
        """Score of the last steps, (S, D, classes) -> (S, classes)."""
        last = logits[:, -self.test_steps :]
        if self.average_clips == 'score':
            return last.mean(dim=1)
        log_prob = F.log_softmax(last, dim=2)
        return log_prob.logsumexp(dim=1) - math.log(self.test_steps)

    def loss(
        self,
        feats: Tensor,
        data_samples: list[ActionDataSample],
        *,
        num_segs: int | None = None,
        frames_per_video: list[int] | None = None,
        fcn_test: bool = False,
        loss_aux: dict | None = None,
    ) -> dict[str, Tensor]:
        """Loss of the sequences, and the accuracy of their test score.

        Args:
            feats: Features of the frames, see the class.
            data_samples: Ground truth of the videos, class indices or soft labels.
            num_segs: See :meth:`forward`.
            frames_per_video: See :meth:`forward`.
            fcn_test: See :meth:`forward`.
            loss_aux: See :meth:`forward`.

        Raises:
            ValueError: If a label is not in [0, num_classes).
        """
        counts = self._sequence_counts(
            len(feats), num_segs, frames_per_video, fcn_test, len(data_samples)
        )
        labels = torch.stack([sample.gt_label for sample in data_samples])
        labels = self._checked_labels(labels).to(feats.device)
        repeats = torch.tensor(counts, device=feats.device)
        labels = labels.repeat_interleave(repeats, dim=0)
        logits = self.step_logits(feats)
        losses = self._accuracies(self.sequence_scores(logits), labels)
        losses['loss_cls'] = self._step_loss(logits, labels)
        return losses

    def predict(
        self,
        feats: Tensor,
        data_samples: list[ActionDataSample],
        *,
        num_segs: int | None = None,
        frames_per_video: list[int] | None = None,
        fcn_test: bool = False,
        loss_aux: dict | None = None,
    ) -> list[ActionDataSample]:
        """Write each video's score, the mean over its sequences, and its label.

        Args:
            feats: Features of the frames, see the class.
            data_samples: The videos, in order.
            num_segs: See :meth:`forward`.
            frames_per_video: See :meth:`forward`.
            fcn_test: See :meth:`forward`.
            loss_aux: See :meth:`forward`.
        """
        counts = self._sequence_counts(
            len(feats), num_segs, frames_per_video, fcn_test, len(data_samples)
        )
        logits = self.step_logits(feats)
        for sample, rows in zip(data_samples, logits.split(counts), strict=True):
            self._write_prediction(sample, rows)
        return data_samples

    def _map_sequences(self, x: Tensor) -> Tensor:
        """Sequences of maps, (S, T, C, h, w)."""
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'features: expected (frames, {self.in_channels}, h, w), as '
                f'in_channels says, got {tuple(x.shape)}'
            )
        return x.unflatten(0, (-1, self.num_segments))

    def _write_prediction(self, sample: ActionDataSample, logits: Tensor) -> None:
        """Write what is predicted of a video from the logits of its sequences."""
        self.predict_by_feat(self.sequence_scores(logits), [sample])

    def _step_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Sum or mean over the steps, mean over the sequences."""
        D = logits.shape[1]
        if self.label_smooth_eps:
            if labels.dim() == 1:
                labels = F.one_hot(labels, self.num_classes).to(logits.dtype)
            uniform = self.label_smooth_eps / self.num_classes
            labels = (1 - self.label_smooth_eps) * labels + uniform
        labels = labels.repeat_interleave(D, dim=0)
        loss = self.loss_cls(logits.flatten(0, 1), labels)  # mean over S * D
        return loss * D if self.step_reduction == 'sum' else loss

    def _accuracies(self, scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
        if labels.dim() > 1:  # soft labels have no accuracy
            return {}
        values = top_k_accuracy(
            scores.detach().float().cpu().numpy(), labels.cpu().numpy(), self.topk
        )
        return {
            f'top{k}_acc': torch.tensor(value, device=scores.device)
            for k, value in zip(self.topk, values, strict=True)
        }

    def _checked_labels(self, labels: Tensor) -> Tensor:
        """Class indices (N,), or soft labels (N, num_classes)."""
        if labels.is_floating_point():
            if labels.shape[1:] != (self.num_classes,):
                raise ValueError(
                    f'gt_label: expected {self.num_classes} soft labels per video, '
                    f'got shape {tuple(labels.shape)}'
                )
            return labels
        if labels.shape[1:] != (1,):
            raise ValueError(
                f'gt_label: expected one label per video, got {labels.shape[1]}'
            )
        labels = labels[:, 0]
        wrong = labels[(labels < 0) | (labels >= self.num_classes)]
        if len(wrong):
            raise ValueError(
                f'gt_label: expected 0 to {self.num_classes - 1}, as num_classes='
                f'{self.num_classes} says, got {wrong[0].item()}'
            )
        return labels

    def _sequence_counts(
        self,
        total: int,
        num_segs: int | None,
        frames_per_video: list[int] | None,
        fcn_test: bool,
        num_videos: int | None = None,
    ) -> list[int]:
        """Number of sequences of each video."""
        if fcn_test:
            raise ValueError('test_cfg: expected fcn_test=False, got True')
        if total < 1:
            raise ValueError('frames: expected those of one or more videos, got none')
        if frames_per_video is None:
            frames = num_segs or total // (num_videos or 1) or 1
            frames_per_video = [frames] * (num_videos or max(total // frames, 1))
        expected = len(frames_per_video) if num_videos is None else num_videos
        if sum(frames_per_video) != total or len(frames_per_video) != expected:
            raise ValueError(
                f'frames: expected {total} features of {expected} videos, got '
                f'{frames_per_video} frames per video'
            )
        T = self.num_segments
        for frames in frames_per_video:
            if frames < 1 or frames % T:
                raise ValueError(
                    f'frames: expected a multiple of num_segments={T} per video, got '
                    f'{frames}'
                )
        return [frames // T for frames in frames_per_video]
