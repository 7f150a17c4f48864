"""Attention against boxes and key frames."""

import numpy as np
import pytest
import torch

from mmattn.attention.maps import attention_maps, with_frame_numbers
from mmattn.attention.records import AttentionRecord, AttentionRecords
from mmattn.evaluation import (
    AttentionQuality,
    mass_in_boxes,
    mass_on_frames,
    pointing_game,
    pointing_uniform,
)
from mmattn.inference.attend import frame_weights
from mmattn.testing import build_runner
from mmattn.visualization.heat_overlay import scale_heat

CONVLSTM = 'convlstm_in1k-pre-vgg16_1xb15-30x1-10e_hmdb51-split1-rgb'
NAN = [np.nan] * 4
FRAME_0 = dict(frame_inds=np.array([0]), clip_len=1)
SAMPLE = dict(
    video_id='videos/a', original_shape=(40, 80), crop_quadruple=np.array([0, 0, 1, 1])
)


def by_hand(tmp_path, records, samples=(SAMPLE,), **options):
    metric = AttentionQuality(str(tmp_path), **options)
    metric.records = AttentionRecords(records)
    metric.process({}, list(samples))
    return metric.evaluate(len(samples))


def test_by_hand(tmp_path):
    """Frames 2 and 5; the box is the left half of frame 2."""
    boxes = np.array([NAN, NAN, [0, 0, 40, 40], NAN, NAN, NAN])
    key = np.arange(6) == 5
    np.savez(tmp_path / 'a.npz', boxes=boxes, key=key)
    maps = torch.tensor([[[[4.0, 2.0]], [[1.0, 3.0]]]])
    frames = torch.tensor([[2, 5]])
    record = AttentionRecord(
        'head.maps', maps, ('row', 'frame', 'y', 'x'), frames=frames
    )
    found = by_hand(tmp_path, [record])
    assert found == {
        'attention/head.maps/pointing': 1,
        'attention/head.maps/pointing_uniform': 0.5,
        'attention/head.maps/box_mass': pytest.approx(4 / 6),
        'attention/head.maps/box_mass_uniform': 0.5,
        'attention/head.maps/key_mass': pytest.approx(4 / 10),
        'attention/head.maps/key_mass_uniform': 0.5,
        'attention/head.maps/uniform': 0,
    }


def test_the_crop_counts(tmp_path):
    """Of the right half of the video, the box fills the left half."""
    np.savez(tmp_path / 'a.npz', boxes=np.array([[40.0, 0, 60, 40]]))
    record = AttentionRecord('g', torch.tensor([[[1.0, 7.0]]]), ('row', 'y', 'x'))
    crop = dict(crop_quadruple=np.array([0.5, 0, 0.5, 1]), **FRAME_0)
    found = by_hand(tmp_path, [record], [{**SAMPLE, **crop}])
    assert found['attention/g/pointing'] == 0
    assert found['attention/g/box_mass'] == pytest.approx(1 / 8)
    assert 'attention/g/key_mass' not in found


def test_a_model_in_a_config(shrunk, tiny_data, tmp_path):
    cfg = shrunk(CONVLSTM)
    folder = tmp_path / 'truth'
    folder.mkdir()
    for video in (tiny_data / 'videos').iterdir():
        boxes = np.tile([0.0, 0, 1000, 1000], (100, 1))
        np.savez(folder / f'{video.stem}.npz', boxes=boxes, key=np.arange(100) % 4 == 1)
    cfg.custom_hooks.append(dict(type='mmattn.AttentionCaptureHook'))
    quality = dict(type='mmattn.AttentionQuality', ground_truth=str(folder))
    cfg.test_evaluator = [cfg.test_evaluator[0], quality]
    found = build_runner(cfg, tmp_path).test()
    name = 'attention/cls_head.pixel_weights/'
    for key in ('pointing', 'pointing_uniform', 'box_mass', 'box_mass_uniform'):
        assert found[name + key] == pytest.approx(1, abs=1e-6)
    uniform = found[name + 'key_mass_uniform']
    # Each frame's weights sum to 1, so that no frame has more than another.
    assert found[name + 'key_mass'] == pytest.approx(uniform, abs=1e-5)
    assert 0 < uniform < 1


def test_without_the_hook(tmp_path):
    with pytest.raises(ValueError, match=r'custom_hooks: .*AttentionCaptureHook'):
        AttentionQuality(str(tmp_path)).process({}, [SAMPLE])


def test_mistakes(tmp_path):
    with pytest.raises(ValueError, match='ground_truth: expected a folder, got'):
        AttentionQuality(str(tmp_path / 'none'))
    record = AttentionRecord('g', torch.ones(1, 1, 2), ('row', 'y', 'x'))
    with pytest.raises(ValueError, match=r'ground_truth: expected a file .*a\.npz'):
        by_hand(tmp_path, [record])
    np.savez(tmp_path / 'a.npz', other=1)
    with pytest.raises(ValueError, match='expected boxes or key, got neither'):
        by_hand(tmp_path, [record])
    np.savez(tmp_path / 'a.npz', boxes=np.zeros((1, 4)))
    with pytest.raises(ValueError, match=r"names: .* \['g'\], got \('head\.\*',\)"):
        by_hand(tmp_path, [record], names=['head.*'])
    sample = dict(video_id='a', **FRAME_0)
    with pytest.raises(ValueError, match=r'expected .*original_shape.*PackClipInputs'):
        by_hand(tmp_path, [record], [sample])
    gates = AttentionRecord('se', torch.ones(1, 3), ('row', 'channel'))
    with pytest.raises(ValueError, match='names: expected maps of frames or places'):
        by_hand(tmp_path, [gates], [{**SAMPLE, **FRAME_0}])
    with pytest.raises(ValueError, match=r"'frame_inds'.*PackClipInputs.*got none of"):
        by_hand(tmp_path, [record])
    late = AttentionRecord(
        'g', torch.ones(1, 1), ('row', 'frame'), frames=torch.ones(1, 1)
    )
    with pytest.raises(
        ValueError, match=r'boxes of all frames of .*a, got 1 .*frame 1'
    ):
        by_hand(tmp_path, [late])
    nothing = AttentionRecord('g', torch.ones(1, 1, 2), ('row', 'y', 'x'))
    np.savez(tmp_path / 'a.npz', boxes=np.array([NAN]))
    with pytest.raises(
        ValueError, match=r'expected a box or key frame .*got none in 1'
    ):
        by_hand(tmp_path, [nothing], [{**SAMPLE, **FRAME_0}])


def test_averages_the_steps_that_pictures_average(tmp_path):
    """Of three steps the last two make the score."""
    np.savez(tmp_path / 'a.npz', key=np.array([True, False]))
    steps = torch.tensor([[[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]]])
    record = AttentionRecord(
        'h.w',
        steps,
        ('row', 'step', 'frame'),
        frames=torch.tensor([[0, 1]]),
        last_steps=2,
    )
    found = by_hand(tmp_path, [record])
    assert found['attention/h.w/key_mass'] == pytest.approx(0.35)
    assert frame_weights(record)[1].tolist() == pytest.approx([0.35, 0.65])
    (attention,) = attention_maps(record)
    assert attention.weights.tolist() == pytest.approx([0.35, 0.65])
    # Others by name, and a picked step counts from the first of all.
    assert by_hand(tmp_path, [record], last_steps=3)[
        'attention/h.w/key_mass'
    ] == pytest.approx(1.7 / 3)
    (attention,) = attention_maps(record, picks=dict(step=0))
    assert attention.weights.tolist() == [1, 0]
    with pytest.raises(
        ValueError, match=r"last_steps: expected 1 to 3 .*'h\.w', got 4"
    ):
        by_hand(tmp_path, [record], last_steps=4)


AGREEING = {
    'frames': (('row', 'frame'), (2, 2)),
    'steps': (('row', 'step', 'frame'), (2, 3, 2)),
    'places': (('row', 'frame', 'y', 'x'), (2, 2, 3, 5)),
    'queries': (('row', 'query', 'frame', 'y', 'x'), (2, 4, 2, 3, 5)),
    'cells': (('row', 'frame', 'channel', 'cell_y', 'cell_x'), (2, 2, 4, 3, 3)),
    'place of a clip': (('row', 'y', 'x'), (2, 3, 5)),
    'channels of queries': (('row', 'query', 'channel', 'frame'), (2, 3, 4, 2)),
}


@pytest.mark.parametrize('kind', AGREEING)
@pytest.mark.parametrize('known', [True, False], ids=['known frames', 'found frames'])
@pytest.mark.parametrize('signed', [False, True], ids=['shares', 'signed'])
def test_agrees_with_pictures_on_every_record(tmp_path, kind, known, signed):
    """Two windows that share a frame; the metric's numbers from the drawn map."""
    axes, shape = AGREEING[kind]
    maps = torch.rand(shape, generator=torch.Generator().manual_seed(3))
    if signed:
        maps = maps - 0.4
    numbers = np.array([[0, 3], [3, 4]])
    frames = torch.from_numpy(numbers) if known else None
    record = AttentionRecord(
        'm', maps, axes, frames=frames, last_steps=2 if 'step' in axes else None
    )
    box, key = [20.0, 0, 60, 30], np.arange(5) == 3
    np.savez(tmp_path / 'a.npz', boxes=np.tile(box, (5, 1)), key=key)
    sample = {**SAMPLE, 'frame_inds': numbers.reshape(-1), 'clip_len': 2}
    (attention,) = attention_maps(
        with_frame_numbers(AttentionRecords([record]), numbers)[0]
    )
    expected = {'uniform': float(attention.uniform)}
    if attention.weights is not None:
        mass, chance = mass_on_frames(attention.weights, key[attention.numbers])
        expected |= dict(key_mass=mass, key_mass_uniform=chance)
    if attention.heat is not None:
        drawn = scale_heat(attention.heat)  # what pictures show, 0 to 1
        boxes = np.tile([0.25, 0, 0.75, 0.75], (len(drawn), 1))
        expected |= dict(
            pointing=pointing_game(drawn, boxes).mean(),
            pointing_uniform=pointing_uniform(drawn.shape[1:], boxes).mean(),
            box_mass=mass_in_boxes(drawn, boxes)[0].mean(),
            box_mass_uniform=mass_in_boxes(drawn, boxes)[1].mean(),
        )
    if len(expected) == 1:  # a timeline of signed values shows nothing
        with pytest.raises(ValueError, match='expected a box or key frame'):
            by_hand(tmp_path, [record], [sample])
        return
    found = by_hand(tmp_path, [record], [sample])
    assert found == {
        f'attention/m/{key}': pytest.approx(value) for key, value in expected.items()
    }


def test_a_uniform_map_is_called_so_and_points_at_chance(tmp_path):
    box = [0.0, 0, 40, 40]  # the left half, where the first of equal places lies
    np.savez(tmp_path / 'a.npz', boxes=np.array([box]))
    level = torch.tensor([[[0.5, 0.5], [0.501, 0.5]]])
    record = AttentionRecord('g', level, ('row', 'y', 'x'))
    found = by_hand(tmp_path, [record], [{**SAMPLE, **FRAME_0}])
    assert found['attention/g/uniform'] == 1
    assert found['attention/g/pointing'] == found['attention/g/pointing_uniform'] == 0.5
    level[0, 0, 0] = 0.52
    found = by_hand(tmp_path, [record], [{**SAMPLE, **FRAME_0}])
    assert found['attention/g/uniform'] == 0
    assert found['attention/g/pointing'] == 1


def test_a_flip_is_refused(tmp_path):
    np.savez(tmp_path / 'a.npz', boxes=np.array([[0.0, 0, 40, 40]]))
    record = AttentionRecord('g', torch.rand(1, 1, 2), ('row', 'y', 'x'))
    with pytest.raises(ValueError, match=r'expected no flip.* videos/a flipped'):
        by_hand(tmp_path, [record], [{**SAMPLE, **FRAME_0, 'flip': True}])
