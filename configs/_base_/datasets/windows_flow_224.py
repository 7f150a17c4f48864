# Windows of 30 stacks of 5 flow fields (10 channels) at 224 x 224: random ones in training, all
# of a video in testing; configs name the lists.
train_pipeline = [
    dict(type='mmattn.SampleWindows', window_frames=30, clip_len=5, mode='random'),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomCrop', size=224),
    dict(type='mmattn.FlowFlip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='mmattn.PackClipInputs'),
]
test_pipeline = [
    dict(type='mmattn.SampleWindows', window_frames=30, clip_len=5),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='mmattn.PackClipInputs'),
]
flow_list = dict(
    type='mmattn.ActionFrameDataset',
    filename_tmpl='flow_{}_{:05d}.jpg',
    modality='Flow')

train_dataloader = dict(
    batch_size=4,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='mmattn.SeededSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline, **flow_list))
val_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=test_pipeline, test_mode=True, **flow_list))
test_dataloader = val_dataloader

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
