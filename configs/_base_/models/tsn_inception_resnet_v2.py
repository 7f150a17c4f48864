# Temporal segment network on Inception-ResNet-v2, from timm's weights.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='mmattn.InceptionResNetV2',
        partial_bn=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://github.com/huggingface/pytorch-image-models/releases/'
            'download/v0.1-weights/inception_resnet_v2-940b1cd6.pth')),
    cls_head=dict(
        type='TSNHead',
        num_classes=101,
        in_channels=1536,
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
