"""Page about a test: figures, confused classes, and the videos that went worst."""

import base64
import copy
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from mmattn.datasets.base import BrokenVideoError
from mmattn.datasets.features import FeatureDataset
from mmattn.evaluation import (
    Scores,
    accuracies,
    class_accuracies,
    confusion_matrix,
)
from mmattn.inference.inputs import read_input
from mmattn.inference.steps import cropped
from mmattn.utils.arrays import evenly
from mmattn.utils.files import write_text
from mmattn.visualization.confusion import draw_confusion
from mmattn.visualization.jpeg import jpeg_base64
from mmattn.visualization.report_page import ClassRow, ShownClip, VideoRow, report_page


def write_report(
    scores: Scores,
    out: str | Path,
    *,
    classes: Sequence[str],
    cfg: Config | None = None,
    num_worst: int = 20,
    num_thumbnails: int = 3,
    notes: Sequence[str] = (),
    shown: Sequence[ShownClip] = (),
) -> Path:
    """Write one HTML file about a test, which loads nothing else.

    Args:
        scores: Scores of the tested videos.
        out: File to write.
        classes: Names of the classes.
        cfg: Config whose test list the videos are from, for thumbnails; None for none.
        num_worst: Wrongly classified videos shown, the least probable true classes
            first.
        num_thumbnails: Frames shown of each.
        notes: Sentences at the top of the page.
        shown: Clips with what the model attends to.

    Returns:
        The file.

    Raises:
        ValueError: If the names do not fit the classes, or the config's test list has
            other videos.
    """
    matrix = confusion_matrix(scores)
    figure = draw_confusion(matrix, classes=classes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', bbox_inches='tight', dpi=100)
    videos = worst_videos(scores, classes, num_worst)
    if cfg is not None:
        add_thumbnails(videos, cfg, num_thumbnails)
    page = report_page(
        title=scores.name,
        figures=accuracies(scores),
        num_videos=len(scores.video_ids),
        confusion=base64.b64encode(buffer.getvalue()).decode('ascii'),
        classes=class_rows(matrix, classes),
        videos=videos,
        notes=notes,
        shown=shown,
    )
    return write_text(out, page)


def class_rows(matrix: np.ndarray, classes: Sequence[str]) -> list[ClassRow]:
    """Return the classes that have videos, the worst first.

    Args:
        matrix: Confusion matrix (K, K), true classes in rows.
        classes: Names of the K classes.
    """
    shares = class_accuracies(matrix)
    rows = []
    for k in np.argsort(shares, kind='stable'):
        if np.isnan(shares[k]):
            continue
        wrong = matrix[k].copy()
        wrong[k] = 0
        taken_for = classes[int(wrong.argmax())] if wrong.any() else ''
        count = int(wrong.max())
        rows.append(
            ClassRow(classes[k], int(matrix[k].sum()), shares[k], taken_for, count)
        )
    return rows


def worst_videos(
    scores: Scores, classes: Sequence[str], num_worst: int
) -> list[VideoRow]:
    """Return wrongly classified videos, the least probable true class first.

    Args:
        scores: Scores of the videos.
        classes: Names of the classes.
        num_worst: Most videos returned.
    """
    rows = np.arange(len(scores.labels))
    of_truth = scores.scores[rows, scores.labels]
    predicted = scores.scores.argmax(axis=1)
    order = np.argsort(of_truth, kind='stable')
    wrong = [int(i) for i in order if predicted[i] != scores.labels[i]]
    return [
        VideoRow(
            name=scores.video_ids[i],
            truth=classes[scores.labels[i]],
            predicted=classes[predicted[i]],
            truth_score=float(of_truth[i]),
            predicted_score=float(scores.scores[i, predicted[i]]),
        )
        for i in wrong[:num_worst]
    ]


def tested_videos(cfg: Config) -> tuple[Any, dict[str, int]]:
    """Return the test data of a config, and the place of each video in it.

    Args:
        cfg: The config.
    """
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    dataset: Any = DATASETS.build(copy.deepcopy(cfg.test_dataloader.dataset))
    index = {dataset.get_data_info(i)['video_id']: i for i in range(len(dataset))}
    return dataset, index


def add_thumbnails(videos: Sequence[VideoRow], cfg: Config, count: int) -> None:
    """Add frames to videos as the network sees them, or why there are none.

    Args:
        videos: Videos of the config's test list.
        cfg: The config.
        count: Frames of each video.

    Raises:
        ValueError: If the list lacks a video.
    """
    dataset, index = tested_videos(cfg)
    for video in videos:
        if video.name not in index:
            raise ValueError(
                f'{dataset.ann_file}: expected the tested videos, got no {video.name}'
            )
    if isinstance(dataset, FeatureDataset):
        for video in videos:
            video.note = 'the model reads stored features'
        return
    pipeline = Compose(cropped(cfg.test_dataloader.dataset.pipeline, 'center'))
    for video in videos:
        try:
            info = dataset.open_sample(dataset.get_data_info(index[video.name]))
            pictures = list(read_input(pipeline, info).pictures().values())
            kept = evenly(len(pictures), count)
            video.thumbnails = [jpeg_base64(pictures[k]) for k in kept]
        except BrokenVideoError as error:
            video.note = str(error)
