# A stack of 5 flow fields (10 channels) from each third of a video, at 224 x 224; tested on
# 25 stacks and 10 crops.
_base_ = 'stacks_flow_224.py'

train_pipeline = [
    dict(type='SampleFrames', clip_len=5, frame_interval=1, num_clips=3),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(
        type='MultiScaleCrop',
        input_size=224,
        scales=(1, 0.875, 0.75),
        max_wh_scale_gap=1),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='mmattn.FlowFlip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(
    batch_size=8,
    sampler=dict(infinite=False),
    dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=8)
