# Own videos of any frame rate: folder $MMATTN_DATA, data/own by default, with $MMATTN_CLASSES
# classes. docs/own_detection_data.md says what it holds. Clips of 32 frames last 2.1 s, as AVA's.
folder = '{{$MMATTN_DATA:data/own}}'
num_classes = int('{{$MMATTN_CLASSES:80}}') + 1  # and background
label_file = folder + '/labels.pbtxt'

train_pipeline = [
    dict(type='mmattn.VideoInit'),
    dict(type='mmattn.SampleAroundSecond', clip_len=32, clip_seconds=32 / 15),
    dict(type='mmattn.VideoDecode'),
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='mmattn.PackClipInputs'),
]
test_pipeline = [
    dict(type='mmattn.VideoInit'),
    dict(
        type='mmattn.SampleAroundSecond',
        clip_len=32,
        clip_seconds=32 / 15,
        test_mode=True),
    dict(type='mmattn.VideoDecode'),
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='mmattn.PackClipInputs'),
]

videos = dict(
    type='mmattn.ActionDetectionDataset',
    label_file=label_file,
    data_prefix=dict(img=folder + '/videos'),
    use_frames=False,
    start_index=0,
    timestamp_start=0,
    num_classes=num_classes,
    person_det_score_thr=0.5)
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='mmattn.SeededSampler', shuffle=True),
    dataset=dict(
        ann_file=folder + '/train.csv',
        proposal_file=folder + '/proposals_train.json',
        pipeline=train_pipeline,
        **videos))
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file=folder + '/val.csv',
        proposal_file=folder + '/proposals_val.json',
        pipeline=test_pipeline,
        test_mode=True,
        **videos))
test_dataloader = val_dataloader

val_evaluator = dict(
    type='mmattn.FrameMAP',
    ann_file=folder + '/val.csv',
    label_file=label_file,
    with_groups=False)
test_evaluator = val_evaluator
