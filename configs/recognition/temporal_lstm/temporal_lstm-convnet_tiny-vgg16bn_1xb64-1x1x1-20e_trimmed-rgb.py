# ConvNet (step 1) of the demonstration, on frames of trimmed synthetic clips. It learns
# two labels per frame: which of ten poses, and which of two looks the figure has.
_base_ = [
    '../../_base_/models/temporal_lstm_tiny_vgg.py',
    '../../_base_/default_runtime.py',
]

root = 'data/synthetic/trimmed'
train_pipeline = [
    dict(type='mmattn.VideoInit', num_threads=1),
    dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=1),
    dict(type='mmattn.VideoDecode'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='mmattn.PackClipInputs'),
]
test_pipeline = [
    dict(type='mmattn.VideoInit', num_threads=1),
    dict(
        type='SampleFrames',
        clip_len=1,
        frame_interval=1,
        num_clips=1,
        test_mode=True),
    dict(type='mmattn.VideoDecode'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='mmattn.PackClipInputs'),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='mmattn.SeededSampler', shuffle=True),
    dataset=dict(
        type='mmattn.ActionVideoDataset',
        ann_file=root + '/train_with_look.txt',
        data_prefix=dict(video=root),
        num_classes=12,
        multi_class=True,
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmattn.ActionVideoDataset',
        ann_file=root + '/val_with_look.txt',
        data_prefix=dict(video=root),
        num_classes=12,
        multi_class=True,
        pipeline=test_pipeline,
        test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric', metric_list='mmit_mean_average_precision')
test_evaluator = val_evaluator

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=20, val_begin=20, val_interval=20)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.003, weight_decay=0.01))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=20, by_epoch=True, convert_to_iter_based=True)
]
