"""A tiny per-frame network, and videos whose class is their brightness."""

import cv2
import numpy as np
import pytest
import torch

from mmattn.front import trunks
from mmattn.front.trunks import Trunk
from mmattn.models.backbones import VGG

TINY = Trunk(
    dict(type='mmattn.VGG', depth=11, base_channels=4, fc_channels=13, input_size=64),
    taps=('conv3', 'conv4', 'pool5'),
    rest='fc6',
    last='fc6',
    mean=[127.5] * 3,
    std=[57.5] * 3,
    size=64,
)


@pytest.fixture(scope='session')
def tiny_weights(tmp_path_factory):
    """Weights of the tiny network, which keep the brightness of a frame."""
    torch.manual_seed(3)
    net = VGG(**{k: v for k, v in TINY.backbone.items() if k != 'type'}, out='fc6')
    net.init_weights()
    path = tmp_path_factory.mktemp('weights') / 'tiny.pth'
    torch.save(net.state_dict(), path)
    return str(path)


@pytest.fixture
def tiny(monkeypatch, tiny_weights):
    """Options of a training on the tiny network."""
    monkeypatch.setitem(trunks.TRUNKS, 'tiny', TINY)
    return dict(backbone='tiny', weights=tiny_weights, frames=4, progress=False)


@pytest.fixture(scope='session')
def bright_and_dark(tmp_path_factory):
    """Folder of two classes of six videos each; tests must not change it."""
    data = tmp_path_factory.mktemp('own') / 'my videos'
    rng = np.random.default_rng(0)
    for label, level in (('bright', 200), ('dark day', 40)):
        (data / label).mkdir(parents=True)
        for k in range(6):
            path = str(data / label / f'{k}.avi')
            film = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*'MJPG'), 10, (48, 32))
            for _ in range(6 + k):
                noise = rng.integers(-20, 20, (32, 48, 3))
                film.write((level + noise).astype(np.uint8))
            film.release()
    return data
