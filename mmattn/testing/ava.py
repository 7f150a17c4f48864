"""A tiny data set in AVA's layout."""

import pickle
from pathlib import Path

import cv2
import numpy as np

FPS, START, END = 4, 900, 903
SECONDS = (901, 902)
VIDEOS = ('person_0', 'person_1')
BOXES = ((0.1, 0.2, 0.5, 0.9), (0.5, 0.1, 0.9, 0.8))
LABELS = ((1, 3), (2,))  # of the persons
SIZES = ((64, 48), (48, 64))  # width and height of the videos


def write_tiny_ava(folder: Path) -> None:
    """Write frames, truth, proposals, excluded frames and a label map.

    The last second of the last video is excluded.

    Args:
        folder: Folder to write to: ``frames/*/img_*.jpg``, twice as large
            as ``videos/*.mp4``, ``truth.csv``, ``proposals.pkl``, ``excluded.csv`` and
            ``labels.pbtxt``.
    """
    rng = np.random.default_rng(0)
    truth, proposals = [], {}
    for video, (width, height) in zip(VIDEOS, SIZES, strict=True):
        frames = folder / 'frames' / video
        frames.mkdir(parents=True)
        (folder / 'videos').mkdir(exist_ok=True)
        writer = cv2.VideoWriter(
            str(folder / 'videos' / f'{video}.mp4'),
            cv2.VideoWriter.fourcc(*'mp4v'),
            FPS,
            (2 * width, 2 * height),  # decord cannot read width 48
        )
        image = rng.integers(0, 256, (height, width, 3), np.uint8)
        for number in range(1, FPS * (END - START) + 1):
            image = np.roll(image, 1, axis=1)
            cv2.imwrite(str(frames / f'img_{number:05d}.jpg'), image)
            writer.write(cv2.resize(image, (2 * width, 2 * height)))
        writer.release()
        for second in SECONDS:
            for person, box in enumerate(BOXES):
                corners = ','.join(map(str, box))
                truth += [
                    f'{video},{second:04d},{corners},{label},{person}'
                    for label in LABELS[person]
                ]
            boxes = np.array([*BOXES, (0.0, 0.0, 0.2, 0.2)])
            scores = np.array([[0.99], [0.95], [0.92]])
            proposals[f'{video},{second:04d}'] = np.hstack([boxes, scores])
    labels = [f'item {{\n  name: "action {n}"\n  id: {n}\n}}' for n in (1, 2, 3)]
    (folder / 'truth.csv').write_text('\n'.join(truth) + '\n')
    (folder / 'excluded.csv').write_text(f'{VIDEOS[-1]},{SECONDS[-1]:04d}\n')
    (folder / 'labels.pbtxt').write_text('\n'.join(labels) + '\n')
    (folder / 'proposals.pkl').write_bytes(pickle.dumps(proposals))
