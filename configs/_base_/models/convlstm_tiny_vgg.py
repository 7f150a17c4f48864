# Trained VGG-11 with batch norm up to its third pool, an eighth as wide: maps of 8 x 8 cells of
# 64 x 64 synthetic videos, attention and ConvLSTM.
model = dict(
    type='mmattn.FrameRecognizer',
    backbone=dict(
        type='mmattn.VGG',
        depth=11,
        batch_norm=True,
        base_channels=8,
        out='pool3'),
    cls_head=dict(
        type='mmattn.ConvLSTMHead',
        num_classes=10,
        in_channels=32,
        num_segments=30,
        hidden_channels=32,
        average_clips='prob'),
    data_preprocessor=dict(
        type='mmattn.FrameDataPreprocessor',
        mean=[127.5] * 3,
        std=[57.6] * 3,
        eager_frames=1000))
