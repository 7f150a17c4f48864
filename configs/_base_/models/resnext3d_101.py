# 3D ResNeXt-101, from weights trained on 64-frame clips of Kinetics-400. Only layer4 and
# the classifier learn, as Hara et al. fine-tune.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='mmattn.ResNeXt3D',
        depth=101,
        frozen_stages=4,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/resnext-101-64f-kinetics.pth')),
    cls_head=dict(
        type='I3DHead',
        num_classes=101,
        in_channels=2048,
        spatial_type='avg',
        dropout_ratio=0.0,
        init_std=0.01,
        average_clips='prob'),
    # The weights expect RGB from 0 to 255, centered.
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[114.77, 107.74, 99.48],
        std=[1, 1, 1],
        format_shape='NCTHW'))
