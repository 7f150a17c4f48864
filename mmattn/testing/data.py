"""Tiny data sets of every kind that our configs read."""

from pathlib import Path

import cv2
import numpy as np

from mmattn.testing.ava import write_tiny_ava

NUM_CLASSES = 3
NUM_FRAMES = (11, 7)  # of the videos, in turn: different numbers of windows
FEATURE_CHANNELS = 16
SIZE = (64, 48)  # width, height


def make_tiny_data(root: str | Path, num_videos: int = 4) -> Path:
    """Write videos, flow images and features of a few clips, with their lists.

    Args:
        root: Folder to write to: ``videos/*.mp4``, ``flow/*/flow_{x,y}_*.jpg``,
            ``features/*.npy`` and ``videos.txt``, ``flow.txt``, ``features.txt``;
            ``ava`` as :func:`mmattn.testing.ava.write_tiny_ava` does.
        num_videos: Number of clips; clip i has label i modulo 3.

    Returns:
        The folder.
    """
    root = Path(root)
    rng = np.random.default_rng(0)
    lists: dict[str, list[str]] = dict(videos=[], flow=[], features=[])
    for i in range(num_videos):
        name, label = f'clip_{i}', i % NUM_CLASSES
        num_frames = NUM_FRAMES[i % len(NUM_FRAMES)]
        _write_video(root / 'videos' / f'{name}.mp4', num_frames, rng)
        _write_flow(root / 'flow' / name, num_frames - 1, rng)
        features = root / 'features' / f'{name}.npy'
        features.parent.mkdir(parents=True, exist_ok=True)
        np.save(features, rng.random((num_frames, FEATURE_CHANNELS), np.float32))
        lists['videos'].append(f'{name}.mp4 {label}')
        lists['flow'].append(f'{name} {num_frames - 1} {label}')
        lists['features'].append(f'{name} {label}')
    for kind, lines in lists.items():
        (root / f'{kind}.txt').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    write_tiny_ava(root / 'ava')
    return root


def _write_video(path: Path, num_frames: int, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fourcc = cv2.VideoWriter.fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), fourcc, 10, SIZE)
    texture = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    for t in range(num_frames):
        writer.write(np.roll(texture, t, axis=1))
    writer.release()


def _write_flow(folder: Path, num_fields: int, rng: np.random.Generator) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for t in range(1, num_fields + 1):
        for axis in 'xy':
            field = rng.integers(0, 256, (SIZE[1], SIZE[0]), np.uint8)
            cv2.imwrite(str(folder / f'flow_{axis}_{t:05d}.jpg'), field)
