"""Small videos, frame folders and feature files."""

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
