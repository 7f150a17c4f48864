# Clips of 64 frames at 112 x 112; tested on all clips of a video, one after the other.
train_pipeline = [
    dict(type='mmattn.VideoInit'),
    dict(type='SampleFrames', clip_len=64, frame_interval=1, num_clips=1),
    dict(type='mmattn.VideoDecode'),
    dict(type='Resize', scale=(-1, 240)),
    dict(
        type='MultiScaleCrop',
        input_size=112,
        scales=(1, 0.84, 0.71, 0.59, 0.5),
        max_wh_scale_gap=0),
    dict(type='Resize', scale=(112, 112), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='mmattn.PackClipInputs'),
]
val_pipeline = [
    dict(type='mmattn.VideoInit'),
    dict(
        type='SampleFrames',
        clip_len=64,
        frame_interval=1,
        num_clips=1,
        test_mode=True),
    dict(type='mmattn.VideoDecode'),
    dict(type='Resize', scale=(-1, 112)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='mmattn.PackClipInputs'),
]
test_pipeline = [
    dict(type='mmattn.VideoInit'),
    dict(type='mmattn.SampleWindows', window_frames=1, clip_len=64, stride=64),
    dict(type='mmattn.VideoDecode'),
    dict(type='Resize', scale=(-1, 112)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='mmattn.PackClipInputs'),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='mmattn.SeededSampler', shuffle=True),
    dataset=dict(type='mmattn.ActionVideoDataset', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmattn.ActionVideoDataset', pipeline=val_pipeline, test_mode=True))
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmattn.ActionVideoDataset', pipeline=test_pipeline, test_mode=True))

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
