# A VGG-16 with batch norm, an eighth as wide, for 64 x 64 synthetic videos.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='mmattn.VGG',
        depth=16,
        batch_norm=True,
        base_channels=8,
        fc_channels=128,
        input_size=64,
        dropout=0.0,
        fc_relu=False,
        out='fc6'),
    cls_head=dict(
        type='TSNHead',
        num_classes=12,
        in_channels=128,
        loss_cls=dict(type='BCELossWithLogits', loss_weight=10.0),
        spatial_type='avg',
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.0,
        average_clips='score'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5] * 3,
        std=[57.6] * 3,
        format_shape='NCHW'))
