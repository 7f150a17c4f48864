"""A shrunk detector, and a video of two persons for it."""

import cv2
from mmengine.registry import MODELS as ROOT_MODELS

from mmattn.testing.ava import FPS

CONFIG = 'slowfast_attn_k400-pre-i3d-r50_8xb4-32x2x1-20e_ava21-rgb'


def small_detector(shrunk):
    """A detector in eval mode with its config."""
    cfg = shrunk(CONFIG)
    model = ROOT_MODELS.build(cfg.model)
    model.cfg = cfg
    return model.eval()


def person_video(tiny_data, folder):
    """The tiny frames of a person as a video file."""
    path = folder / 'person_0.mp4'
    path.parent.mkdir()
    frames = sorted((tiny_data / 'ava' / 'frames' / 'person_0').iterdir())
    images = [cv2.imread(str(frame)) for frame in frames]
    height, width = images[0].shape[:2]
    fourcc = cv2.VideoWriter.fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), fourcc, FPS, (width, height))
    for image in images:
        writer.write(image)
    writer.release()
    return path
