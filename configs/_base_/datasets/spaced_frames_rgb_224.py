# 30 equally spaced RGB frames of a video at 224 x 224; configs name the lists.
train_pipeline = [
    dict(type='mmattn.VideoInit'),
    dict(type='mmattn.SampleSpacedFrames', num_frames=30),
    dict(type='mmattn.VideoDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomCrop', size=224),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='mmattn.PackClipInputs'),
]
test_pipeline = [
    dict(type='mmattn.VideoInit'),
    dict(type='mmattn.SampleSpacedFrames', num_frames=30),
    dict(type='mmattn.VideoDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='mmattn.PackClipInputs'),
]

train_dataloader = dict(
    batch_size=15,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='mmattn.SeededSampler', shuffle=True),
    dataset=dict(type='mmattn.ActionVideoDataset', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=15,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmattn.ActionVideoDataset', pipeline=test_pipeline, test_mode=True))
test_dataloader = dict(
    batch_size=15,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmattn.ActionVideoDataset', pipeline=test_pipeline, test_mode=True))

val_evaluator = [dict(type='AccMetric'), dict(type='mmattn.FrameAccuracy')]
test_evaluator = val_evaluator
