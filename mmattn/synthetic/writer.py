"""Write synthetic videos, their annotation lists and their ground truth."""

import json
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from mmattn.synthetic.ava_files import (
    LABEL_MAP,
    write_ava_lists,
    write_frames,
)
from mmattn.synthetic.options import SPLITS, VideoOptions
from mmattn.synthetic.presets import render_clip
from mmattn.synthetic.scene import Clip, Person
from mmattn.utils.processes import in_processes
from mmattn.utils.progress import progress_bar

OUTPUTS = (
    'videos',
    'ground_truth',
    'rawframes',
    LABEL_MAP,
    'classes.txt',
    'meta.json',
    *(f'{split}.txt' for split in SPLITS),
    *(f'{split}_with_look.txt' for split in SPLITS),
    *(f'{split}.csv' for split in SPLITS),
    *(f'{split}_proposals.pkl' for split in SPLITS),
)

Task = tuple[str, int]  # split and number of a clip


def make_videos(
    out: str | Path,
    options: VideoOptions,
    *,
    workers: int = 2,
    overwrite: bool = False,
    progress: bool = True,
) -> None:
    """Write a data set of synthetic videos that MMAction2's VideoDataset reads.

    The folder gets `train.txt`, `val.txt` and `test.txt` with lines
    `videos/<name>.mp4 <label>`, `classes.txt`, `meta.json` and for each clip
    `videos/<name>.mp4` and `ground_truth/<name>.npz`.  Preset 'trimmed' also gets
    `train_with_look.txt` and so on, for multi-label training: their lines add the
    label `num_classes` (bystander) or `num_classes + 1` (actor).  Preset 'interaction'
    gets AVA's layout in place of these lists: `rawframes/<name>/img_00001.jpg` and so
    on, `train.csv`, `train_proposals.pkl` and so on, and `labels.pbtxt`.  The videos
    do not depend on the number of workers.

    Args:
        out: Output folder, absent or empty.
        options: Options of the data set.
        workers: Processes that render; up to 1 renders in this process.  With more,
            a script needs the usual `if __name__ == '__main__':`.
        overwrite: Whether to replace the data set in a folder that is not empty;
            other files in it stay.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: If the folder is not empty and `overwrite` is false, or if a
            worker count is negative.
        OSError: If OpenCV cannot encode mp4.

    Example:
        >>> import tempfile
        >>> root = tempfile.mkdtemp()
        >>> options = VideoOptions(num_classes=4, clips_per_class=dict(train=1))
        >>> make_videos(root, options, workers=0, progress=False)
        >>> Path(root, 'train.txt').read_text().split()[:2]
        ['videos/train_00000.mp4', '0']
    """
    if workers < 0:
        raise ValueError(f'workers: expected at least 0, got {workers}')
    root = Path(out)
    _clear(root, overwrite=overwrite)
    for folder in ('videos', 'ground_truth'):
        (root / folder).mkdir(parents=True)
    tasks = []
    for split in SPLITS:
        count = options.clips_per_class.get(split, 0) * len(options.classes)
        tasks += [(split, index) for index in range(count)]
    write = partial(_write_clip, root, options)
    summaries: dict[Task, Summary] = {}
    done = in_processes(write, tasks, workers=workers)
    bar = progress_bar(done, total=len(tasks), unit='clip', shown=progress)
    for task, summary in bar:
        summaries[task] = summary
    if options.preset == 'interaction':
        people = {task: (_name(*task), s.persons) for task, s in summaries.items()}
        write_ava_lists(root, options, people)
    else:
        _write_lists(root, options, summaries)
    (root / 'classes.txt').write_text('\n'.join(options.classes) + '\n')
    meta = {**asdict(options), 'classes': options.classes}
    (root / 'meta.json').write_text(json.dumps(meta, indent=2) + '\n')


def write_video(path: str | Path, frames: np.ndarray, *, fps: int) -> None:
    """Encode frames as mp4 (codec mp4v).

    Args:
        path: File to write.
        frames: RGB, uint8.
        fps: Frame rate.

    Shape:
        frames (T, H, W, 3), H and W even.

    Raises:
        OSError: If OpenCV cannot open the file.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), 'grey.mp4')
        >>> write_video(path, np.full((5, 32, 48, 3), 128, np.uint8), fps=15)
        >>> path.stat().st_size > 0
        True
    """
    codec = cv2.VideoWriter.fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), codec, fps, frames.shape[2:0:-1])
    if not writer.isOpened():
        raise OSError(f'expected OpenCV to encode mp4v to {path}, got no encoder')
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()


def ground_truth(clip: Clip, *, save_flow: bool) -> dict[str, np.ndarray]:
    """Arrays of the file of ground truth.

    Args:
        clip: Rendered clip.
        save_flow: Whether to add the optical flow.

    Shape:
        label (), boxes (T, 4) float32, key (T,) bool, shown (T,) int64,
        actor_look (T,) bool, flow (T-1, H, W, 2) float16; in preset 'interaction'
        person_boxes (P, T, 4) float32 and person_labels (n, 2) int64, pairs of the
        number of a person and a class.

    Example:
        >>> clip = render_clip(VideoOptions(preset='trimmed'), 'train', 3)
        >>> sorted(ground_truth(clip, save_flow=False))
        ['actor_look', 'boxes', 'key', 'label', 'shown']
    """
    arrays = {
        'label': np.array(clip.label),
        'boxes': clip.boxes,
        'key': clip.key,
        'shown': clip.shown,
        'actor_look': clip.actor_look,
    }
    if clip.persons:
        boxes = np.stack([person.boxes for person in clip.persons])
        arrays['person_boxes'] = boxes
        pairs = [(k, label) for k, p in enumerate(clip.persons) for label in p.labels]
        arrays['person_labels'] = np.array(pairs)
    if save_flow:
        arrays['flow'] = clip.flow.astype(np.float16)
    return arrays


class Summary(NamedTuple):
    """What the lists say of a clip.

    Args:
        label: Class.
        look: Whether the figure ever looks like the actor.
        persons: See `Clip`.
    """

    label: int
    look: int
    persons: tuple[Person, ...]


def _write_clip(root: Path, options: VideoOptions, task: Task) -> tuple[Task, Summary]:
    clip = render_clip(options, *task)
    name = _name(*task)
    write_video(root / 'videos' / f'{name}.mp4', clip.frames, fps=options.fps)
    arrays: dict[str, Any] = ground_truth(clip, save_flow=options.save_flow)
    np.savez_compressed(root / 'ground_truth' / f'{name}.npz', **arrays)
    if options.preset == 'interaction':
        write_frames(root / 'rawframes' / name, clip.frames)
    return task, Summary(clip.label, int(clip.actor_look.any()), clip.persons)


def _name(split: str, index: int) -> str:
    return f'{split}_{index:05d}'


def _clear(root: Path, *, overwrite: bool) -> None:
    if root.exists() and not root.is_dir():
        raise ValueError(f'out: expected a folder, got the file {root}')
    if not root.exists() or not any(root.iterdir()):
        return
    if not overwrite:
        raise ValueError(
            f'out: expected an empty or new folder, or overwrite, got {root} with files'
        )
    for name in OUTPUTS:
        if (root / name).is_dir():
            shutil.rmtree(root / name)
        else:
            (root / name).unlink(missing_ok=True)


def _write_lists(
    root: Path, options: VideoOptions, summaries: dict[Task, Summary]
) -> None:
    for split in SPLITS:
        clips = [
            (f'videos/{_name(*task)}.mp4', summary.label, summary.look)
            for task, summary in sorted(summaries.items(), key=lambda item: item[0])
            if task[0] == split
        ]
        lines = [f'{name} {label}\n' for name, label, _ in clips]
        (root / f'{split}.txt').write_text(''.join(lines))
        if options.preset == 'trimmed':  # one look per clip: a second label
            first = options.num_classes
            lines = [f'{name} {label} {first + look}\n' for name, label, look in clips]
            (root / f'{split}_with_look.txt').write_text(''.join(lines))
