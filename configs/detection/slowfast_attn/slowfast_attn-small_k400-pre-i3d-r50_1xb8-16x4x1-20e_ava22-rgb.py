# A variant of Table 2 of "Spatio-Temporal SlowFast Self-Attention Network for Action Recognition"
# (ICIP 2020) for one GPU: 16 frames, one attention module of 512 channels a branch, AVA v2.2.
_base_ = './slowfast_attn_k400-pre-i3d-r50_8xb4-32x2x1-20e_ava22-rgb.py'

model = dict(
    roi_head=dict(
        shared_head=dict(channels=512, num_layers=1),
        bbox_head=dict(in_channels=2048)))

train_pipeline = [
    dict(type='mmattn.SampleAVAFrames', clip_len=16, frame_interval=4),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='mmattn.PackClipInputs'),
]
test_pipeline = [
    dict(type='mmattn.SampleAVAFrames', clip_len=16, frame_interval=4, test_mode=True),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='mmattn.PackClipInputs'),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=8, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=0.0125))
