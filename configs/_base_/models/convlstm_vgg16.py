# Frozen VGG-16 up to its last pool, soft attention over its 7 x 7 maps and a ConvLSTM.
model = dict(
    type='mmattn.FrameRecognizer',
    freeze_backbone=True,
    backbone=dict(
        type='mmattn.VGG',
        depth=16,
        out='pool5',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.pytorch.org/models/vgg16-397923af.pth')),
    cls_head=dict(
        type='mmattn.ConvLSTMHead',
        num_classes=10,
        in_channels=512,
        num_segments=30,
        recurrence=dict(hidden_channels=16, attention='gap_dense', state='carried'),
        average_clips='prob'),
    data_preprocessor=dict(
        type='mmattn.FrameDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375]))
