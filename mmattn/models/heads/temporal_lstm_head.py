"""Classification by recurrent temporal attention over the frames of a sequence.

Liu, Tian and Wang, Improving human action recognition by temporal attention.
"""

import math

import torch
from mmaction.evaluation import top_k_accuracy
from mmaction.models.heads import BaseHead
from mmaction.structures import ActionDataSample
from torch import Tensor, nn
from torch.nn import functional as F

from mmattn.models.layers.temporal_attention import TemporalAttentionLSTM
from mmattn.registry import MODELS
from mmattn.utils.attention_maps import emit_attention

STEP_REDUCTIONS = ('sum', 'mean')
AVERAGE_CLIPS = ('prob', 'score')


@MODELS.register_module()
class TemporalLSTMHead(BaseHead):
    r"""Classify sequences of frames, once per iteration over their frames.

    Implements Eq. (3)-(8) of Improving human action recognition by temporal attention;
    the decay term of Eq. (8) is the optimizer's. The training loss of a sequence is
    :math:`-\sum_t \log \hat y_{t,label}` over all steps, and that of a batch the mean
    over its sequences. The test score is the mean of :math:`\hat y_t` over the last
    ``test_steps`` steps, and of a video the mean over its sequences (windows, crops).

    Args:
        num_classes: Number of action classes.
        in_channels: Width of the frame features.
        num_segments: Frames T of a sequence.
        num_steps: Iterations D over a sequence.
        hidden_channels: Memory cells of each LSTM layer.
        num_layers: Stacked LSTM layers.
        attention: False for the baseline without attention.
        query: 'top', 'bottom' or 'concat', see :class:`TemporalAttentionLSTM`.
        init_state: 'zeros' or 'mean_mlp', see :class:`TemporalAttentionLSTM`.
        dropout: Probability between the LSTM layers.
        test_steps: Last steps that make the test score, 1 to ``num_steps``.
        step_reduction: 'sum' of the steps' losses, as Eq. (8), or 'mean'.
        loss_cls: Config of the loss of one step.
        label_smooth_eps: Weight of the uniform distribution in the labels.
        topk: Accuracies to log; numbers above ``num_classes`` become ``num_classes``.
        average_clips: Average over steps and sequences of 'prob' (probabilities) or
            'score' (logits).
        init_cfg: As in MMEngine; by default N(0, 0.01) in the classifier.

    Shape:
        - Input: (S * T, C) or (S * T, C, h, w) for S sequences, the T frames of a
          sequence next to each other.
        - Output: (S, num_classes), see :meth:`forward`.

    Raises:
        ValueError: If an option is out of range, or frames or labels do not fit it.

    Example:
        >>> head = TemporalLSTMHead(
        ...     5, 7, num_segments=3, num_steps=4, hidden_channels=2, test_steps=2
        ... )
        >>> head(torch.ones(2 * 3, 7)).shape
        torch.Size([2, 5])
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 4096,
        *,
        num_segments: int = 30,
        num_steps: int = 30,
        hidden_channels: int = 512,
        num_layers: int = 2,
        attention: bool = True,
        query: str = 'top',
        init_state: str = 'zeros',
        dropout: float = 0.0,
        test_steps: int = 10,
        step_reduction: str = 'sum',
        loss_cls: dict | None = None,
        label_smooth_eps: float = 0.0,
        topk: int | tuple[int, ...] = (1, 5),
        average_clips: str = 'prob',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        _require_choice('step_reduction', step_reduction, STEP_REDUCTIONS)
        _require_choice('average_clips', average_clips, AVERAGE_CLIPS)
        if num_segments < 1:
            raise ValueError(f'num_segments: expected at least 1, got {num_segments}')
        if not 1 <= test_steps <= num_steps:
            raise ValueError(
                f'test_steps: expected 1 to num_steps={num_steps}, got {test_steps}'
            )
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
        self.num_segments = num_segments
        self.test_steps = test_steps
        self.step_reduction = step_reduction
        self.lstm = TemporalAttentionLSTM(
            in_channels,
            hidden_channels,
            num_steps=num_steps,
            num_layers=num_layers,
            attention=attention,
            query=query,
            init_state=init_state,
            dropout=dropout,
        )
        self.fc_cls = nn.Linear(hidden_channels, num_classes)

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

    def step_logits(self, x: Tensor) -> Tensor:
        """Logits of Eq. (7) of each sequence in each step, (S, D, num_classes)."""
        if x.dim() == 4:
            x = x.mean(dim=(2, 3))
        if x.dim() != 2 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'features: expected (frames, {self.in_channels}) or (frames, '
                f'{self.in_channels}, h, w), as in_channels says, got {tuple(x.shape)}'
            )
        frames = x.unflatten(0, (-1, self.num_segments))  # (S, T, C)
        hidden, alpha = self.lstm(frames)
        emit_attention(self, 'frame_weights', alpha, axes=('row', 'step', 'frame'))
        logits = self.fc_cls(hidden)
        return logits.to(self.fc_cls.weight.dtype)  # autocast may have narrowed them

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
        """Loss of Eq. (8) without its decay term, and the accuracy of the test score.

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
        scores = self.sequence_scores(self.step_logits(feats))
        for sample, rows in zip(data_samples, scores.split(counts), strict=True):
            self.predict_by_feat(rows, [sample])
        return data_samples

    def _step_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Eq. (8): sum over the steps, mean over the sequences."""
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


def _require_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f'{key}: expected one of {choices}, got {value!r}')
