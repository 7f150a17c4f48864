"""Optical flow against exact motion and under mirroring."""

import cv2
import numpy as np
import pytest

from mmattn.datasets import FlowFlip, quantize_flow
from mmattn.datasets.optical_flow import METHODS, flow_fields, flow_function
from mmattn.synthetic.options import VideoOptions
from mmattn.synthetic.presets import render_clip

H, W = 48, 67
methods = pytest.mark.parametrize('method', METHODS)


def sliding(dx, dy, num_frames=2):
    """Frames of a smooth texture that moves by (dx, dy) pixels per frame."""
    noise = np.random.default_rng(3).random((H + 32, W + 32, 3)).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 2)
    texture = (texture - texture.min()) / np.ptp(texture) * 255
    frames = []
    for n in range(num_frames):
        shift = np.float32([[1, 0, n * dx - 16], [0, 1, n * dy - 16]])
        frames.append(cv2.warpAffine(texture, shift, (W, H)).round().astype(np.uint8))
    return frames


def levels(frames, method, **options):
    return list(flow_fields(frames, flow_function(method), **options))


@methods
@pytest.mark.parametrize('dx, dy', [(2.0, 0.0), (-1.5, 1.0)])
def test_motion_of_a_texture(method, dx, dy):
    (field,) = levels(sliding(dx, dy), method)
    inner = field[8:-8, 8:-8].reshape(-1, 2).astype(int)
    expected = quantize_flow(np.array([dx, dy])).astype(int)
    assert field.shape == (H, W, 2)
    assert np.abs(np.median(inner, axis=0) - expected).max() <= 1
    assert np.mean(np.abs(inner - expected).max(axis=1) <= 2) > 0.9


@methods
def test_mirrored_video_has_the_mirrored_flow(method):
    frames = sliding(1.5, -1.0)
    mirrored = [np.ascontiguousarray(frame[:, ::-1]) for frame in frames]
    results = {
        'imgs': levels(frames, method),
        'modality': 'Flow',
        'img_shape': (H, W),
    }
    flipped = np.array(FlowFlip(1.0)(results)['imgs']).astype(int)
    expected = np.array(levels(mirrored, method)).astype(int)
    assert flipped.shape == (1, H, W, 2)
    assert np.median(flipped[..., 0]) < 125  # mirrored motion to the left
    difference = np.abs(flipped - expected)[:, 8:-8, 8:-8]
    assert np.mean(difference <= 2) > 0.95
    assert difference.mean() < 0.5


@methods
def test_exact_flow_of_the_generator(method):
    """The error is a small part of the motion; zero flow would be off by all of it."""
    options = VideoOptions(preset='motion', num_frames=3, hardness=0.0)
    clip = render_clip(options, 'train', 3)
    compute = flow_function(method)
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip.frames]
    found = np.array([compute(*gray[n : n + 2]) for n in range(2)])
    moving = np.linalg.norm(clip.flow, axis=-1) > 0.5
    assert moving.sum() > 50
    motion = np.linalg.norm(clip.flow, axis=-1)[moving]
    error = np.linalg.norm(found - clip.flow, axis=-1)[moving]
    assert np.median(error) < 0.4 * np.median(motion)


@methods
def test_rest_and_sizes(method):
    frames = sliding(0, 0, num_frames=3)
    fields = levels(frames, method, size=(40, 36))
    assert [field.shape for field in fields] == [(36, 40, 2)] * 2
    # next to nothing, on the other side of zero, is level 127
    assert set(np.unique(fields)) <= {127, 128}
    assert levels(frames[:1], method) == []


def test_bound():
    (field,) = levels(sliding(2, 0), 'farneback', bound=2.5)
    inner = np.median(field[8:-8, 8:-8, 0])
    assert abs(inner - quantize_flow(np.array(2.0), 2.5)) <= 6


def test_tvl1_needs_contrib(monkeypatch):
    monkeypatch.delattr(cv2, 'optflow')
    with pytest.raises(ImportError, match='package opencv-contrib-python for'):
        flow_function('tvl1')
    with pytest.raises(ValueError, match=r"method: expected one of .*got 'raft'"):
        flow_function('raft')
