"""A minute of 1080p needs little memory, and gives the same scores."""

import multiprocessing
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import Resize
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModule
from mmengine.registry import DATASETS, MODELS, TRANSFORMS, init_default_scope

from mmattn.datasets import VideoDecode, VideoInit
from mmattn.datasets.base import join_steps
from mmattn.registry import MODELS as OUR_MODELS
from mmattn.utils.configs import configs_root

NAME = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb.py'
CUTS = ('Resize', 'CenterCrop')
SECONDS, FPS, SIZE = 60, 30, (1920, 1080)
STATUS = Path('/proc/self/status')


def write_long_video(path, size=SIZE, seconds=SECONDS):
    """A second of film, over and over: its packets are copied."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (68, 120, 3), np.uint8)
    texture = cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), 'w') as output:
        stream = output.add_stream('libx264', rate=FPS)
        stream.width, stream.height = size
        stream.options = {'preset': 'ultrafast', 'g': str(FPS), 'bf': '0'}
        packets = []
        for number in range(FPS):
            image = np.roll(texture, 40 * number, axis=1)
            packets += stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24'))
        packets += stream.encode()
        contents = [(bytes(p), p.is_keyframe) for p in packets]
        for number in range(seconds * FPS):
            content, key = contents[number % FPS]
            packet = av.Packet(content)
            packet.pts = packet.dts = number
            packet.time_base = Fraction(1, FPS)
            packet.is_keyframe = key
            packet.stream = stream
            output.mux(packet)


def config_of(path):
    """The config, for one video, with a backbone that takes less time."""
    init_default_scope('mmaction')
    cfg = Config.fromfile(next(configs_root().rglob(NAME)))
    cfg.model.backbone = dict(type='mmattn.CoarsePixels', channels=4096)
    listed = Path(path).with_suffix('.txt')
    listed.write_text(f'{Path(path).name} 3\n')
    dataset = cfg.test_dataloader.dataset
    dataset.update(ann_file=str(listed), data_prefix=dict(video=str(listed.parent)))
    return cfg


@OUR_MODELS.register_module()
class CoarsePixels(BaseModule):
    """Features that are linear in the means of squares of 32 x 32 pixels."""

    def __init__(self, channels):
        super().__init__()
        self.features = torch.nn.Linear(3 * 7 * 7, channels)

    def forward(self, images):
        return self.features(torch.nn.functional.avg_pool2d(images, 32).flatten(1))


def scores(model, item):
    with torch.no_grad():
        (sample,) = model.test_step(pseudo_collate([item]))
    return sample.pred_score.numpy()


def build(cfg):
    torch.manual_seed(0)
    return MODELS.build(cfg.model).eval()


def as_tested(path):
    """Scores as the test loop gets them, and the peak of memory in bytes."""
    cfg = config_of(path)
    model = build(cfg)
    found = scores(model, DATASETS.build(cfg.test_dataloader.dataset)[0])
    return found, peak_memory()


def peak_memory():
    """Bytes; what ``ru_maxrss`` says counts the memory of the parent process, too."""
    (line,) = [x for x in STATUS.read_text().splitlines() if x.startswith('VmHWM')]
    return 1024 * int(line.split()[1])


def decoded_small(path):
    """Bytes of all frames of a video as small images, and what decoding them took."""
    (decode,) = join_steps([VideoDecode(), Resize(scale=(32, 24), keep_ratio=False)])
    results = VideoInit()(dict(filename=str(path)))
    results['frame_inds'] = np.arange(results['total_frames'])
    before = peak_memory()
    images = decode(results)['imgs']
    return len(images) * images[0].nbytes, peak_memory() - before


def as_by_hand(path):
    """Scores of frames that FFmpeg decodes in order, each resized and cut by itself.

    Every second of the film is the first one.
    """
    cfg = config_of(path)
    steps = cfg.test_pipeline
    names = [step['type'] for step in steps]
    resize, crop = (TRANSFORMS.build(steps[names.index(n)]) for n in CUTS)
    images = []
    with av.open(str(path)) as container:
        for frame in islice(container.decode(video=0), FPS):
            image = frame.to_ndarray(format='rgb24')
            results = dict(imgs=[image], img_shape=image.shape[:2], modality='RGB')
            images += crop(resize(results))['imgs']
    inputs = torch.from_numpy(np.stack(images * SECONDS)).permute(0, 3, 1, 2)
    return scores(build(cfg), dict(inputs=inputs, data_samples=ActionDataSample()))


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.is_file(), reason='memory is read from /proc')
def test_memory_and_scores_of_a_minute_of_1080p(tmp_path):
    path = tmp_path / 'long.mp4'
    write_long_video(path)
    context = multiprocessing.get_context('spawn')
    with context.Pool(1) as pool:
        found, peak = pool.apply(as_tested, (path,))
    with context.Pool(1) as pool:
        expected = pool.apply(as_by_hand, (path,))
    assert peak < 1.5e9
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert found.std() > 1e-6


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.is_file(), reason='memory is read from /proc')
def test_memory_of_decoding_does_not_grow_with_the_number_of_frames(tmp_path):
    path = tmp_path / 'long.mp4'
    write_long_video(path, (320, 240), seconds=300)
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        size, taken = pool.apply(decoded_small, (path,))
    assert size == 300 * FPS * 32 * 24 * 3
    assert taken < size + 1e8
