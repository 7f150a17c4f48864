# Temporal segment network on Inception-v3, from torchvision's weights.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='mmattn.InceptionV3',
        partial_bn=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth')),
    cls_head=dict(
        type='TSNHead',
        num_classes=101,
        in_channels=2048,
        spatial_type='avg',
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.7,
        init_std=0.001,
        average_clips='prob'),
    # The weights expect RGB from -1 to 1.
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        format_shape='NCHW'))
