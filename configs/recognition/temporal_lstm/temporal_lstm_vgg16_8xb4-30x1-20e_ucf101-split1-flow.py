# The motion stream of UCF101 from flow fields to scores in one network, to extract features, to
# test and draw a trained pair of ConvNet and recurrent part, or to train them end to end
# (model.freeze_backbone=False): "Improving Human Action Recognition by Temporal Attention".
_base_ = [
    '../../_base_/models/temporal_lstm_features.py',
    '../../_base_/schedules/adadelta_50e.py',
]

# load_from takes the ConvNet of step 1, or a pair made by tools/convert/join_checkpoints.py.
model = dict(
    freeze_backbone=True,
    backbone=dict(
        _delete_=True,
        type='mmattn.VGG',
        depth=16,
        in_channels=10,
        out='fc6'),
    cls_head=dict(num_classes=101),
    data_preprocessor=dict(
        mean=[128] * 10,
        std=[57.6] * 10))

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

train_list = dict(
    type='mmattn.ActionFrameDataset',
    filename_tmpl='flow_{}_{:05d}.jpg',
    modality='Flow',
    ann_file='data/ucf101/ucf101_train_split_{{$MMATTN_SPLIT:1}}_flow.txt',
    data_prefix=dict(img='data/ucf101/rawframes'),
    num_classes=101,
    pipeline=train_pipeline)
test_list = dict(
    type='mmattn.ActionFrameDataset',
    filename_tmpl='flow_{}_{:05d}.jpg',
    modality='Flow',
    ann_file='data/ucf101/ucf101_val_split_{{$MMATTN_SPLIT:1}}_flow.txt',
    data_prefix=dict(img='data/ucf101/rawframes'),
    num_classes=101,
    pipeline=test_pipeline,
    test_mode=True)
train_dataloader = dict(
    batch_size=4,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='mmattn.SeededSampler', shuffle=True),
    dataset=train_list)
val_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=test_list)
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=20)
auto_scale_lr = dict(base_batch_size=32)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
