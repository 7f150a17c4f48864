"""Models of which it is known what they look at, with maps that say so or do not."""

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from torch import nn

from mmattn.attention.capture import attention_rows, emit_attention
from mmattn.inference.inputs import NetworkInput

FRAMES, SIDE, CELLS = 6, 28, 7
FRAME = 4
CORNER = (slice(None), slice(0, 8), slice(20, 28))  # of frames (F, H, W)
LOOKS = ('frame', 'corner', 'corner of a frame', 'nothing')


class KnownModel(nn.Module):
    """Scores the brightness of what it looks at, and hands out three maps.

    ``truth`` is high where it looks, ``wrong`` is high elsewhere, ``flat`` is uniform.
    """

    def __init__(self, looks):
        super().__init__()
        self.looks = looks
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.seen = torch.zeros(FRAMES, SIDE, SIDE)
        if looks == 'frame':
            self.seen[FRAME] = 1
        elif looks == 'corner':
            self.seen[CORNER] = 1
        elif looks == 'corner of a frame':
            self.seen[FRAME][CORNER[1:]] = 1
        maps = nn.functional.adaptive_avg_pool2d(self.seen[None], CELLS)[0]
        self.maps = dict(truth=maps, wrong=1 - maps, flat=torch.full_like(maps, 0.5))

    def test_step(self, batch):
        count = len(batch['inputs'])
        with attention_rows(sample=range(count)):
            for name, maps in self.maps.items():
                rows = maps.expand(count, *maps.shape)
                emit_attention(self, name, rows, ('row', 'frame', 'y', 'x'))
        return [self.scored(x, s) for x, s in zip(*batch.values(), strict=True)]

    def scored(self, inputs, sample):
        level = inputs[0].float().mean(dim=0) / 255  # (T, H, W)
        if self.looks == 'nothing':
            score = torch.tensor(0.7)
        else:
            score = (level * self.seen).sum() / self.seen.sum()
        return sample.set_pred_score(torch.stack([score, 1 - score]))


def known_input(seed, inputs=None):
    """A noisy clip that is bright where any of the models looks."""
    rng = np.random.default_rng(seed)
    if inputs is None:
        frames = rng.integers(0, 40, (FRAMES, SIDE, SIDE))
        frames[FRAME] += 200
        frames[CORNER] = 240
        inputs = torch.from_numpy(frames).to(torch.uint8)
        inputs = inputs.expand(1, 3, -1, -1, -1).contiguous()
    item = dict(inputs=inputs, data_samples=ActionDataSample())
    return NetworkInput(item, np.arange(FRAMES)[None] * 2, (0, 0, 1, 1))
