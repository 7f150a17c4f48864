"""What a network says of clips, batch by batch."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate

from mmattn.attention.capture import capture_attention
from mmattn.attention.maps import sum_by_frame, with_frame_numbers
from mmattn.attention.records import AttentionRecords
from mmattn.inference.inputs import NetworkInput

Tag = TypeVar('Tag')


class Output(NamedTuple):
    """What a network says of a clip.

    Args:
        scores: Scores of the classes, (K,).
        frame_numbers: Numbers of the frames that it has seen, ascending, (F,).
        frame_scores: Scores of the classes in each of them, (F, K); None where the
            network does not tell.
        attention: What it attends to; empty where it was not asked or hands out none.
    """

    scores: np.ndarray
    frame_numbers: np.ndarray
    frame_scores: np.ndarray | None
    attention: AttentionRecords


def predict_clips(
    network: Any,
    clips: Iterable[tuple[Tag, NetworkInput]],
    *,
    batch_size: int = 8,
    attention: bool = False,
    bf16: bool = False,
) -> Iterator[tuple[Tag, Output]]:
    """Run a recognizer on clips, several at once where they are of one shape.

    Args:
        network: Recognizer in eval mode.
        clips: Inputs, each with what its output is to be known by.
        batch_size: Most clips at once.
        attention: Whether to record what the network attends to.
        bf16: Whether to compute in bfloat16.

    Yields:
        The tag and the output of each clip, in order.

    Raises:
        ValueError: If a score is not finite.
    """
    batch: list[tuple[Tag, NetworkInput]] = []
    for tag, clip in clips:
        shape = clip.item['inputs'].shape
        if batch and (
            len(batch) == batch_size or batch[0][1].item['inputs'].shape != shape
        ):
            yield from _predicted(network, batch, attention, bf16)
            batch = []
        batch.append((tag, clip))
    if batch:
        yield from _predicted(network, batch, attention, bf16)


def _predicted(
    network: Any, batch: Sequence[tuple[Tag, NetworkInput]], attention: bool, bf16: bool
) -> Iterator[tuple[Tag, Output]]:
    collated = pseudo_collate([clip.item for _, clip in batch])
    device = next(network.parameters(), torch.empty(0)).device.type
    names = None if attention else ()
    with (
        torch.no_grad(),
        torch.autocast(device, torch.bfloat16, enabled=bf16),
        capture_attention(network, names=names) as records,
    ):
        samples = network.test_step(collated)
    for index, ((tag, clip), sample) in enumerate(zip(batch, samples, strict=True)):
        own = _rows_of(records, index, len(batch))
        yield tag, _output(sample, clip, with_frame_numbers(own, clip.numbers))


def _output(
    sample: ActionDataSample, clip: NetworkInput, attention: AttentionRecords
) -> Output:
    scores = sample.pred_score.float()
    if scores.ndim == 2:  # of several clips, as the head was told not to average them
        scores = scores.softmax(dim=1).mean(dim=0)
    if not scores.isfinite().all():
        raise ValueError(
            f'{sample.get("video_id")}: expected finite scores, got nan or inf: see '
            'whether the weights and the input are finite'
        )
    numbers, frame_scores = np.unique(clip.numbers), None
    if 'pred_frame_scores' in sample:
        rows = sample.pred_frame_scores.float().cpu().numpy()
        _, sums, counts = sum_by_frame(clip.numbers, rows[:, None])
        frame_scores = sums / counts[:, None]
    return Output(scores.cpu().numpy(), numbers, frame_scores, attention)


def _rows_of(records: AttentionRecords, index: int, count: int) -> AttentionRecords:
    """The rows of one clip of a batch whose clips have one shape."""
    found = AttentionRecords()
    for record in records:
        if record.sample is not None:
            found += AttentionRecords([record]).by_sample(index)
            continue
        size, rest = divmod(len(record.map), count)
        if not rest:  # clips lie one after the other
            found.append(record.take(range(index * size, (index + 1) * size)))
    return found
