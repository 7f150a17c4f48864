# Synthetic videos of the preset `interaction`, 8 frames around the labeled one, every second:
# make_videos.py data/synthetic/interaction --preset interaction --num-frames 20 --fps 10 --size 96 64
root = 'data/synthetic/interaction'
train_pipeline = [
    dict(type='mmattn.SampleAVAFrames', clip_len=8, frame_interval=2),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(96, 64), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='mmattn.PackClipInputs'),
]
test_pipeline = [
    dict(type='mmattn.SampleAVAFrames', clip_len=8, frame_interval=2, test_mode=True),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(96, 64), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='mmattn.PackClipInputs'),
]

dataset = dict(
    type='mmattn.ActionDetectionDataset',
    label_file=root + '/labels.pbtxt',
    data_prefix=dict(img=root + '/rawframes'),
    num_classes=7,
    fps=10,
    timestamp_start=0,
    timestamp_end=2)
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='mmattn.SeededSampler', shuffle=True),
    dataset=dict(
        ann_file=root + '/train.csv',
        proposal_file=root + '/train_proposals.pkl',
        pipeline=train_pipeline,
        **dataset))
val_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file=root + '/test.csv',
        proposal_file=root + '/test_proposals.pkl',
        pipeline=test_pipeline,
        test_mode=True,
        **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='mmattn.FrameMAP',
    ann_file=root + '/test.csv',
    label_file=root + '/labels.pbtxt')
test_evaluator = val_evaluator
