# The model of "Spatio-Temporal SlowFast Self-Attention Network for Action Recognition" (ICIP 2020)
# made small enough to see on a CPU whether data of your own is read: docs/own_detection_data.md.
_base_ = './slowfast_attn_k400-pre-i3d-r50_1xb8-32x2x1-20e_own-rgb.py'

model = dict(
    init_cfg=None,
    backbone=dict(depth=18, base_channels=8, inflate=(1, 1, 1, 1)),
    roi_head=dict(
        shared_head=dict(in_channels=64, num_layers=1),
        bbox_head=dict(in_channels=256)))

train_pipeline = [
    dict(type='mmattn.VideoInit'),
    dict(type='mmattn.SampleAroundSecond', clip_len=16, clip_seconds=32 / 15),
    dict(type='mmattn.VideoDecode'),
    dict(type='Resize', scale=(96, 96), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='mmattn.PackClipInputs'),
]
test_pipeline = [
    dict(type='mmattn.VideoInit'),
    dict(
        type='mmattn.SampleAroundSecond',
        clip_len=16,
        clip_seconds=32 / 15,
        test_mode=True),
    dict(type='mmattn.VideoDecode'),
    dict(type='Resize', scale=(96, 96), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='mmattn.PackClipInputs'),
]
train_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
