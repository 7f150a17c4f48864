# The demonstration's network from video to scores, to extract features and to draw.
_base_ = './temporal_lstm_tiny-vgg16bn-fc6_1xb32-30x1-50e_keyframes-rgb.py'

root = 'data/synthetic/keyframes'
model = dict(
    freeze_backbone=True,
    backbone=dict(
        _delete_=True,
        type='mmattn.VGG',
        depth=16,
        batch_norm=True,
        base_channels=8,
        fc_channels=128,
        input_size=64,
        dropout=0.0,
        fc_relu=False,
        out='fc6'),
    data_preprocessor=dict(mean=[127.5] * 3, std=[57.6] * 3))

train_pipeline = [
    dict(type='mmattn.VideoInit', num_threads=1),
    dict(type='mmattn.SampleWindows', window_frames=30),
    dict(type='mmattn.VideoDecode'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='mmattn.PackClipInputs'),
]
test_pipeline = train_pipeline
video_list = dict(
    _delete_=True,
    type='mmattn.ActionVideoDataset',
    data_prefix=dict(video=root),
    num_classes=10,
    pipeline=train_pipeline)
train_dataloader = dict(
    batch_size=8, dataset=dict(ann_file=root + '/train.txt', **video_list))
val_dataloader = dict(
    batch_size=8,
    dataset=dict(ann_file=root + '/test.txt', test_mode=True, **video_list))
test_dataloader = val_dataloader
