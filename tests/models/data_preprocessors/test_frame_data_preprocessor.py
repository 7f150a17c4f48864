"""What a network would see of inputs that do not fit the mean."""

import pytest
import torch
from mmengine.logging import MMLogger

from mmattn.models import FrameDataPreprocessor

MEAN, STD = [123.0, 116.0, 103.0], [58.0, 57.0, 56.0]


def run(preprocessor, *videos):
    return preprocessor(dict(inputs=list(videos), data_samples=[None] * len(videos)))


def frames(count, channels=3, high=256):
    return torch.randint(0, high, (count, channels, 4, 6), dtype=torch.uint8)


@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32])
def test_floats_and_integers_are_the_same(dtype):
    """Also of videos of different lengths, which are normalised later."""
    preprocessor = FrameDataPreprocessor(MEAN, STD)
    video = frames(5)
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, STD))
    expected = (video.float() - mean) / std
    (early,) = run(preprocessor, video.to(dtype))['inputs']
    torch.testing.assert_close(early, expected)
    late, _ = run(preprocessor, video.to(dtype), frames(3).to(dtype))['inputs']
    torch.testing.assert_close(preprocessor.normalize(late), expected)


@pytest.mark.parametrize('lengths', [(5, 5), (5, 3)])
def test_recognizer_normalises_floats_once(lengths):
    from mmattn.registry import MODELS

    model = MODELS.build(
        dict(
            type='mmattn.FrameRecognizer',
            backbone=dict(type='mmattn.StoredFeatures'),
            data_preprocessor=dict(
                type='mmattn.FrameDataPreprocessor', mean=MEAN, std=STD
            ),
        )
    ).eval()
    videos = [frames(count).float() for count in lengths]
    batch = run(model.data_preprocessor, *videos)
    with torch.no_grad():
        seen, _ = model.extract_feat(batch['inputs'])
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, STD))
    torch.testing.assert_close(seen, (torch.cat(videos) - mean) / std)


def test_stored_features_pass():
    video = torch.randn(5, 7)
    for other in (torch.randn(5, 7), torch.randn(3, 7)):
        batch = run(FrameDataPreprocessor(), video, other)
        seen = FrameDataPreprocessor().normalize(batch['inputs'][0])
        assert torch.equal(seen, video)
    with pytest.raises(ValueError, match='expected neither mean, std nor to_rgb'):
        run(FrameDataPreprocessor([1.0], [2.0]), video)


def test_units_of_0_to_1_are_refused():
    with pytest.raises(ValueError, match=r'0 to 255, got std=\[0\.229, .*by 255'):
        FrameDataPreprocessor([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    FrameDataPreprocessor([0.0], [1.0])  # changes nothing


def test_floats_from_0_to_1_are_warned_of_once(caplog):
    preprocessor = FrameDataPreprocessor(MEAN, STD)
    MMLogger.get_current_instance().addHandler(caplog.handler)
    for _ in range(2):
        run(preprocessor, torch.rand(2, 3, 4, 6))
    MMLogger.get_current_instance().removeHandler(caplog.handler)
    messages = [r.message for r in caplog.records if 'from 0 to 255' in r.message]
    assert len(messages) == 1


def test_channels_that_do_not_fit():
    with pytest.raises(ValueError, match=r'mean: expected .* each of 10 .*, got 3'):
        run(FrameDataPreprocessor(MEAN, STD), frames(2, 10))
    with pytest.raises(ValueError, match=r'to_rgb: expected 3 channels, got 10'):
        run(FrameDataPreprocessor([128.0], [1.0], to_rgb=True), frames(2, 10))
    flow = run(FrameDataPreprocessor([128.0], [1.0]), frames(2, 10))['inputs']
    assert flow.shape == (1, 2, 10, 4, 6)
