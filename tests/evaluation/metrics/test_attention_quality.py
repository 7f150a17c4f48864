"""Attention against boxes and key frames."""

import numpy as np
import pytest
import torch

from mmattn.evaluation import AttentionQuality
from mmattn.testing import build_runner
from mmattn.utils.attention_records import AttentionRecord, AttentionRecords

CONVLSTM = 'convlstm_in1k-pre-vgg16_1xb15-30x1-10e_hmdb51-split1-rgb'
NAN = [np.nan] * 4
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
    }


def test_the_crop_counts(tmp_path):
    """Of the right half of the video, the box fills the left half."""
    np.savez(tmp_path / 'a.npz', boxes=np.array([[40.0, 0, 60, 40]]))
    record = AttentionRecord('g', torch.tensor([[[1.0, 7.0]]]), ('row', 'y', 'x'))
    crop = dict(crop_quadruple=np.array([0.5, 0, 0.5, 1]), frame_inds=np.array([0]))
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
    pack = cfg.test_dataloader.dataset.pipeline[-1]
    pack.meta_keys = (*pack.meta_keys, 'original_shape', 'crop_quadruple')
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
    sample = dict(video_id='a', frame_inds=np.array([0]))
    with pytest.raises(ValueError, match=r'meta_keys: expected .*original_shape'):
        by_hand(tmp_path, [record], [sample])
    gates = AttentionRecord('se', torch.ones(1, 3), ('row', 'channel'))
    with pytest.raises(ValueError, match='names: expected maps of frames or places'):
        by_hand(tmp_path, [gates])
