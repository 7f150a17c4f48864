# AVA: 32 frames around the labeled one, every second frame, 256 x 256; proposals of persons
# computed before. Configs name the version.
train_pipeline = [
    dict(type='mmattn.SampleAVAFrames', clip_len=32, frame_interval=2),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='mmattn.PackClipInputs'),
]
test_pipeline = [
    dict(type='mmattn.SampleAVAFrames', clip_len=32, frame_interval=2, test_mode=True),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='mmattn.PackClipInputs'),
]

annotations = 'data/ava/annotations'
train_dataloader = dict(
    batch_size=4,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='mmattn.SeededSampler', shuffle=True),
    dataset=dict(
        type='mmattn.ActionDetectionDataset',
        proposal_file=annotations + '/ava_dense_proposals_train.FAIR.recall_93.9.pkl',
        data_prefix=dict(img='data/ava/rawframes'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=4,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmattn.ActionDetectionDataset',
        proposal_file=annotations + '/ava_dense_proposals_val.FAIR.recall_93.9.pkl',
        data_prefix=dict(img='data/ava/rawframes'),
        pipeline=test_pipeline,
        test_mode=True))
test_dataloader = val_dataloader
