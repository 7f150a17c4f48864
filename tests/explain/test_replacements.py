"""What stands in place of what is gone: by hand and by a direct solver."""

import itertools

import numpy as np
import pytest
import torch

from mmattn.explain.replacements import ROAD_NOISE, Replacer


def video(F=5, C=3, H=11, W=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (F, C, H, W), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize('kind', ['blur', 'mean', 'freeze', 'road'])
@pytest.mark.parametrize('shape', [(5,), (3, 2), (5, 3, 2)])
def test_only_what_is_gone_changes(kind, shape):
    frames = video()
    kept = frames.clone()
    removed = np.zeros(shape, dtype=bool)
    assert torch.equal(Replacer(frames, kind)(removed), frames)
    removed[1] = True
    found = Replacer(frames, kind)(removed)
    assert found.dtype == torch.uint8
    assert torch.equal(frames, kept)
    gone = torch.zeros(5, 1, 11, 7, dtype=torch.bool)
    if shape == (3, 2):
        gone[:, :, 4:8] = True  # rows r with r * 3 // 11 == 1
    else:
        gone[1] = True
    gone = gone.expand_as(frames)
    assert torch.equal(found[~gone], frames[~gone])
    assert (found[gone] != frames[gone]).float().mean() > 0.5
    assert torch.equal(found, Replacer(frames, kind)(removed))


def test_mean_is_that_of_each_channel_of_the_clip():
    frames = video()
    found = Replacer(frames, 'mean')(np.ones(5, dtype=bool))
    expected = frames.double().mean(dim=(0, 2, 3)).round()
    assert torch.equal(found.double().amax((0, 2, 3)), expected)
    assert torch.equal(found.double().amin((0, 2, 3)), expected)


def test_blur_keeps_a_flat_frame_and_flattens_a_checkerboard():
    flat = torch.full((2, 1, 16, 16), 77, dtype=torch.uint8)
    gone = np.ones(2, dtype=bool)
    assert torch.equal(Replacer(flat, 'blur')(gone), flat)
    board = (torch.arange(16)[:, None] + torch.arange(16)).remainder(2) * 200.0
    found = Replacer(board.expand(2, 1, 16, 16), 'blur')(gone)
    assert (found[:, :, 4:12, 4:12] - 100).abs().max() < 1


def test_blur_is_gaussian():
    clip = torch.zeros(1, 1, 33, 33, dtype=torch.float64)
    clip[0, 0, 16, 16] = 1000
    found = Replacer(clip, 'blur')(np.ones(1, dtype=bool))[0, 0]
    sigma = 33 / 8
    assert found[16, 19] / found[16, 16] == pytest.approx(np.exp(-9 / (2 * sigma**2)))
    assert torch.allclose(found, found.T)


def test_freeze_takes_the_nearest_frame_that_is_left():
    numbers = torch.arange(7, dtype=torch.uint8).reshape(7, 1, 1, 1).expand(7, 1, 2, 2)
    gone = np.array([1, 0, 1, 1, 1, 0, 1], dtype=bool)
    found = Replacer(numbers, 'freeze')(gone)
    assert found[:, 0, 0, 0].tolist() == [1, 1, 1, 1, 5, 5, 5]  # the earlier of two
    everything = Replacer(numbers, 'freeze')(np.ones((1, 1), dtype=bool))
    assert set(everything.flatten().tolist()) == {3}
    cells = np.zeros((7, 1, 2), dtype=bool)
    cells[2, 0, 1] = True
    found = Replacer(numbers, 'freeze')(cells)
    assert found[2, 0].tolist() == [[2, 1], [2, 1]]


def direct(clip, gone):
    """The linear system of the imputation, written out and solved at once."""
    F, C, H, W = clip.shape
    place = {
        p: k for k, p in enumerate(itertools.product(range(F), range(H), range(W)))
    }
    flat = clip.transpose(0, 2, 3, 1).reshape(-1, C).copy()
    A, b = np.eye(len(place)), flat.copy()
    for (t, y, x), k in place.items():
        if not gone[t, 0, y, x]:
            continue
        weights = {}
        for dt, dy, dx in itertools.product((-1, 0, 1), repeat=3):
            far = abs(dt) + abs(dy) + abs(dx)
            there = place.get((t + dt, y + dy, x + dx))
            if there is None or not far or far > 2 or (dt and far == 2):
                continue
            weights[there] = 1 / 6 if far == 1 else 1 / 12
        A[k], b[k] = 0, 0
        A[k, k] = sum(weights.values())
        for there, weight in weights.items():
            A[k, there] = -weight
    return np.linalg.solve(A, b).reshape(F, H, W, C).transpose(0, 3, 1, 2)


@pytest.mark.parametrize('shape', [(5,), (3, 2), (5, 3, 2)])
def test_imputation_solves_the_system(shape):
    frames = video().double()
    removed = np.random.default_rng(1).random(shape) < 0.6
    assert 0 < removed.sum() < removed.size
    found = Replacer(frames, 'road')(removed)
    rows, columns = np.arange(11) * 3 // 11, np.arange(7) * 2 // 7
    if removed.ndim == 1:
        gone = np.broadcast_to(removed[:, None, None, None], (5, 1, 11, 7))
    else:
        cells = np.broadcast_to(removed, (5, 3, 2))
        gone = cells[:, rows][:, :, columns][:, None]
    expected = direct(frames.numpy(), gone)
    error = (found.numpy() - expected) * gone
    # what is left is the noise
    spread = np.sqrt((error**2).sum() / (gone.sum() * 3))
    assert spread == pytest.approx(ROAD_NOISE, rel=0.2)
    assert np.abs(error).max() < 5 * ROAD_NOISE


def test_imputed_frames_between_two_flat_ones_are_on_a_line():
    clip = torch.tensor([30.0, 0, 0, 60]).reshape(4, 1, 1, 1).expand(4, 1, 8, 8)
    found = Replacer(clip, 'road')(np.array([0, 1, 1, 0], dtype=bool))
    assert found.mean((1, 2, 3)).tolist() == pytest.approx([30, 40, 50, 60], abs=1.5)


def test_large_frames_are_imputed_small():
    ramp = torch.linspace(0, 255, 96).expand(2, 3, 96, 96)
    removed = np.zeros((4, 4), dtype=bool)
    removed[1:3, 1:3] = True
    found = Replacer(ramp, 'road')(removed)
    assert (found - ramp).abs().mean() < 6


def test_refusals():
    with pytest.raises(ValueError, match=r"replace: expected one of .*, got 'black'"):
        Replacer(video(), 'black')
    with pytest.raises(ValueError, match=r'frames: expected a clip \(F, C, H, W\)'):
        Replacer(video()[0], 'blur')
    with pytest.raises(
        ValueError, match=r'removed: expected frames \(5,\).*\(4, 2, 2\)'
    ):
        Replacer(video(), 'blur')(np.ones((4, 2, 2), dtype=bool))
