"""A 2D recognizer with a map of places, to draw from."""

from mmaction.registry import MODELS as HOST_MODELS
from mmengine.config import Config
from torch import nn

from mmattn.attention.capture import emit_attention
from mmattn.registry import MODELS

SIZE = 32


@MODELS.register_module()
class BrightPlaces(nn.Module):
    """Hands out the share of each place in the brightness of its frame."""

    def forward(self, x):  # (frames, C, H, W)
        level = nn.functional.avg_pool2d(x.mean(dim=1, keepdim=True), 4)[:, 0]
        level = level - level.amin()
        emit_attention(self, 'gate', level / level.amax(), ('row', 'y', 'x'))
        return x


def spatial_model(num_clips=5, crop='CenterCrop', classes=3):
    """A host recognizer that tells maps nothing of its rows."""
    steps = [
        dict(type='DecordInit', num_threads=1),
        dict(type='SampleFrames', clip_len=1, num_clips=num_clips, test_mode=True),
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(-1, SIZE)),
        dict(type=crop, crop_size=SIZE),
        dict(type='FormatShape', input_format='NCHW'),
        dict(type='PackActionInputs'),
    ]
    backbone = dict(type='mmattn.VGG', depth=11, base_channels=4, out='conv5')
    model = HOST_MODELS.build(
        dict(
            type='Recognizer2D',
            backbone=dict(
                type='mmattn.AttentionBackbone',
                backbone=backbone,
                attentions=[
                    dict(before='conv1', module=dict(type='mmattn.BrightPlaces'))
                ],
            ),
            cls_head=dict(
                type='TSNHead',
                num_classes=classes,
                in_channels=32,
                average_clips='prob',
            ),
            data_preprocessor=dict(
                type='ActionDataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3
            ),
        )
    )
    model.cfg = Config(dict(test_pipeline=steps))
    return model.eval()
