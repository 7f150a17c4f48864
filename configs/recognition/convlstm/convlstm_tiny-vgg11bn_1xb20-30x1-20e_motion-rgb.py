# The system on synthetic videos whose class shows in motion alone, trained end to end.
_base_ = [
    '../../_base_/models/convlstm_tiny_vgg.py',
    '../../_base_/schedules/adam_10e.py',
]

root = 'data/synthetic/motion'
train_pipeline = [
    dict(type='mmattn.VideoInit', num_threads=1),
    dict(type='mmattn.SampleSpacedFrames', num_frames=30),
    dict(type='mmattn.VideoDecode'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='mmattn.PackClipInputs'),
]
test_pipeline = train_pipeline

train_dataloader = dict(
    batch_size=20,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='mmattn.SeededSampler', shuffle=True),
    dataset=dict(
        type='mmattn.ActionVideoDataset',
        ann_file=root + '/train.txt',
        data_prefix=dict(video=root),
        num_classes=10,
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=20,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmattn.ActionVideoDataset',
        ann_file=root + '/test.txt',
        data_prefix=dict(video=root),
        num_classes=10,
        pipeline=test_pipeline,
        test_mode=True))
test_dataloader = val_dataloader
val_evaluator = [dict(type='AccMetric'), dict(type='mmattn.FrameAccuracy')]
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=20, val_begin=5, val_interval=5)
optim_wrapper = dict(
    optimizer=dict(lr=0.01),
    paramwise_cfg=dict(custom_keys=dict(fc_cls=dict(lr_mult=10))),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=0.01, total_steps=20, by_epoch=True,
         convert_to_iter_based=True)
]
