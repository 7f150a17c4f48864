# Temporal attention and its two LSTM layers on stored fc6 features (section 2.2).
model = dict(
    type='mmattn.FrameRecognizer',
    backbone=dict(type='mmattn.StoredFeatures'),
    cls_head=dict(
        type='mmattn.TemporalLSTMHead',
        num_classes=101,
        in_channels=4096,
        num_segments=30,
        lstm=dict(
            num_steps=30, hidden_channels=512, num_layers=2, attention=True, dropout=0.0),
        test_steps=10,
        average_clips='prob'),
    data_preprocessor=dict(type='mmattn.FrameDataPreprocessor'))
