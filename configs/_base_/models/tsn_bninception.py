# Temporal segment network on BN-Inception, from the Caffe weights in Cadene's file.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='mmattn.BNInception',
        partial_bn=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/bn_inception-52deb4733.pth')),
    cls_head=dict(
        type='TSNHead',
        num_classes=101,
        in_channels=1024,
        spatial_type='avg',
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.7,
        init_std=0.001,
        average_clips='prob'),
    # The weights expect BGR from 0 to 255; to_rgb reverses what is decoded as RGB.
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[104, 117, 128],
        std=[1, 1, 1],
        to_rgb=True,
        format_shape='NCHW'))
