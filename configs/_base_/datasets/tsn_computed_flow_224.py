# Like tsn_flow_224.py, but the flow is computed from the videos while they are read. `method`
# is 'dis', 'farneback' or 'tvl1'; the fields are those that tools/data/extract_flow.py stores.
_base_ = 'tsn_rgb_224.py'

compute_flow = dict(type='mmattn.ComputeFlow', method='dis', bound=20)
train_pipeline = [
    dict(type='mmattn.FlowInit'),
    dict(type='SampleFrames', clip_len=5, frame_interval=1, num_clips=3),
    compute_flow,
    dict(type='Resize', scale=(-1, 256)),
    dict(
        type='MultiScaleCrop',
        input_size=224,
        scales=(1, 0.875, 0.75),
        max_wh_scale_gap=1),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='mmattn.FlowFlip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='mmattn.PackClipInputs'),
]
val_pipeline = [
    dict(type='mmattn.FlowInit'),
    dict(
        type='SampleFrames',
        clip_len=5,
        frame_interval=1,
        num_clips=3,
        test_mode=True),
    compute_flow,
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='mmattn.PackClipInputs'),
]
test_pipeline = [
    dict(type='mmattn.FlowInit'),
    dict(
        type='SampleFrames',
        clip_len=5,
        frame_interval=1,
        num_clips=25,
        test_mode=True),
    compute_flow,
    dict(type='Resize', scale=(-1, 256)),
    dict(type='mmattn.FlowTenCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='mmattn.PackClipInputs'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
