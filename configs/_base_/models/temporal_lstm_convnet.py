# Per-frame VGG-16 classifier, step 1 of the temporal-attention paper (section 3.2).
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='mmattn.VGG',
        depth=16,
        out='fc7',
        dropout=0.5,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.pytorch.org/models/vgg16-397923af.pth')),
    cls_head=dict(
        type='TSNHead',
        num_classes=101,
        in_channels=4096,
        spatial_type='avg',
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.5,
        init_std=0.01,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
