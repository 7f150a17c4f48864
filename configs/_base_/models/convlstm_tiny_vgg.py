# Trained VGG-11 with batch norm up to its third block, an eighth as wide: maps of 16 x 16 cells of
# 64 x 64 synthetic videos, attention and ConvLSTM. The mean pixel of the state says little where a
# few pixels remember, so the classifier starts with large weights.
model = dict(
    type='mmattn.FrameRecognizer',
    backbone=dict(
        type='mmattn.VGG',
        depth=11,
        batch_norm=True,
        base_channels=8,
        out='conv3'),
    cls_head=dict(
        type='mmattn.ConvLSTMHead',
        num_classes=10,
        in_channels=32,
        num_segments=30,
        recurrence=dict(hidden_channels=16, feature_size=(16, 16)),
        average_clips='prob',
        init_cfg=dict(type='Normal', std=1, override=dict(name='fc_cls'))),
    data_preprocessor=dict(
        type='mmattn.FrameDataPreprocessor',
        mean=[127.5] * 3,
        std=[57.6] * 3,
        eager_frames=1000))
