# Single RGB frames at 224 x 224 for ConvNets; configs name the lists.
_base_ = 'tsn_rgb_224.py'

train_pipeline = [
    dict(type='mmattn.VideoInit'),
    dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=1),
    dict(type='mmattn.VideoDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomCrop', size=224),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='mmattn.PackClipInputs'),
]

train_dataloader = dict(
    batch_size=32,
    sampler=dict(infinite=True),
    dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=32)
