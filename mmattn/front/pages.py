"""The page that a training ends with: report, confusion, best and worst clips."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose

from mmattn.evaluation import Scores
from mmattn.front.outcome import Outcome
from mmattn.inference.inputs import read_input, whole_frames
from mmattn.inference.models import load_model
from mmattn.inference.steps import cropped
from mmattn.reports.runs import tested_videos, write_report
from mmattn.utils.arrays import evenly
from mmattn.utils.logs import quiet_log
from mmattn.visualization.contact_sheet import draw_sheet
from mmattn.visualization.drawable_attention import drawable_attention, overlay_rows
from mmattn.visualization.heat_overlay import OverlayStyle
from mmattn.visualization.jpeg import jpeg_base64
from mmattn.visualization.report_page import ShownClip

EXTREMES = 2  # best, and worst, clips shown
COLUMNS = 8
TOLERANCE = 0.03  # of probabilities, for maps stored as float16
HEIGHT = 150  # of a frame on the page, in pixels


def write_page(
    out: str | Path,
    cfg: Config,
    checkpoint: str | Path,
    scores: Scores,
    *,
    outcome: Outcome,
    notes: Sequence[str] = (),
) -> Path:
    """Write the page about a test, with what the model attends to in some clips.

    The clips shown are run through the whole model, and have to get the scores of the
    test.

    Args:
        out: File to write.
        cfg: Config of the model on frames.
        checkpoint: The model.
        scores: Scores of the test videos.
        outcome: What the test says.
        notes: Sentences on what was tested.

    Returns:
        The file.

    Raises:
        RuntimeError: If a clip gets other scores.
    """
    with quiet_log():
        model = load_model(cfg, str(checkpoint))
    dataset, index = tested_videos(cfg)
    shown = [
        _shown(model, dataset, index[scores.video_ids[i]], scores, i, kind)
        for kind, i in _extremes(scores)
    ]
    return write_report(
        replace(scores, name=Path(out).resolve().parent.name),
        out,
        classes=cfg.class_names,
        cfg=cfg,
        notes=[str(outcome), *notes],
        shown=shown,
    )


def _extremes(scores: Scores) -> list[tuple[str, int]]:
    """Clips whose class is least and most probable, few of each and each once."""
    of_truth = scores.scores[np.arange(len(scores.labels)), scores.labels]
    order = np.argsort(of_truth, kind='stable').tolist()
    count = min(EXTREMES, len(order) // 2)
    if not count:
        return [('only', i) for i in order]
    worst = [('worst', i) for i in order[:count]]
    return worst + [('best', i) for i in order[: -count - 1 : -1]]


def _shown(
    model: Any, dataset: Any, index: int, scores: Scores, row: int, kind: str
) -> ShownClip:
    info = dataset.open_sample(dataset.get_data_info(index))
    seen = read_input(Compose(cropped(model.cfg.test_pipeline, 'center')), info)
    classes = model.cfg.class_names
    attended = drawable_attention(model, seen, classes=classes)
    difference = float(np.abs(attended.scores[0] - scores.scores[row]).max())
    if difference > TOLERANCE:
        raise RuntimeError(
            f'{scores.video_ids[row]}: the model gives other probabilities than its '
            f'test did, by {difference:.3f}; please report this'
        )
    numbers = list(attended.pictures)
    numbers = [numbers[k] for k in evenly(len(numbers), COLUMNS)]
    frames = whole_frames(Path(info['filename']), numbers)
    small = {number: _of_height(frame) for number, frame in frames.items()}
    drawn = overlay_rows(attended._replace(pictures=small), OverlayStyle())
    picture = draw_sheet(drawn, numbers)
    top = ', '.join(f'{name} {score:.2f}' for name, score in attended.top(3))
    return ShownClip(
        name=scores.video_ids[row],
        caption=f'{kind}: {classes[scores.labels[row]]}; the model says {top}',
        picture=jpeg_base64(picture),
    )


def _of_height(frame: np.ndarray) -> np.ndarray:
    width = max(1, round(frame.shape[1] * HEIGHT / frame.shape[0]))
    return cv2.resize(frame, (width, HEIGHT), interpolation=cv2.INTER_AREA)
