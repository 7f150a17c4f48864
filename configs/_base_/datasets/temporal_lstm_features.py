# 30-frame windows of stored per-frame features; configs name the lists.
train_pipeline = [
    dict(type='mmattn.SampleWindows', window_frames=30),
    dict(type='mmattn.LoadFeatures'),
    dict(type='mmattn.PackClipInputs'),
]
test_pipeline = train_pipeline

train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='mmattn.SeededSampler', shuffle=True),
    dataset=dict(type='mmattn.FeatureDataset', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmattn.FeatureDataset', pipeline=test_pipeline, test_mode=True))
test_dataloader = val_dataloader

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
