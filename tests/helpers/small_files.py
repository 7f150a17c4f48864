"""Small videos, frame folders and feature files."""

from zipfile import ZipFile

import cv2
import numpy as np

H, W = 34, 46


def write_video(path, num_frames):
    """Write a video whose frame n has the gray level 8 n."""
    fourcc = {'.avi': 'MJPG', '.mp4': 'mp4v', '.mkv': 'MJPG'}[path.suffix]
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), 10, (W, H))
    assert writer.isOpened()
    for number in range(num_frames):
        writer.write(np.full((H, W, 3), 8 * number, np.uint8))
    writer.release()
    return path


def write_list(path, *lines):
    path.write_text('\n'.join(lines) + '\n')
    return str(path)


def numbered_image(number):
    """A gray image whose level says its number."""
    return cv2.imencode('.jpg', np.full((8, 8, 3), 10 * number, np.uint8))[1].tobytes()


def write_frames(folder, numbers, template='img_{:05}.jpg', axes=()):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        for axis in [(axis,) for axis in axes] or [()]:
            (folder / template.format(*axis, number)).write_bytes(
                numbered_image(number)
            )
    return folder


def pack(folder):
    packed = folder.with_name(f'{folder.name}.zip')
    with ZipFile(packed, 'w') as file:
        for path in sorted(folder.iterdir()):
            file.write(path, path.name)
            path.unlink()
    folder.rmdir()
    return packed
