"""Frames of a camera, as they come."""

from collections.abc import Iterator

import cv2
import numpy as np

CAMERA_FPS = 30.0  # of cameras that do not tell


def open_camera(number: int) -> tuple[Iterator[np.ndarray], float]:
    """Open a camera.

    Args:
        number: Its number, 0 for the first one.

    Returns:
        Its frames, RGB, and frames per second as it says.

    Raises:
        ValueError: If there is no such camera.
    """
    camera = cv2.VideoCapture(number)
    if not camera.isOpened():
        raise ValueError(f'input: expected a camera with the number {number}, got none')
    return _frames_of(camera), camera.get(cv2.CAP_PROP_FPS) or CAMERA_FPS


def _frames_of(camera: cv2.VideoCapture) -> Iterator[np.ndarray]:
    try:
        while True:
            found, frame = camera.read()
            if not found:
                return
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        camera.release()
