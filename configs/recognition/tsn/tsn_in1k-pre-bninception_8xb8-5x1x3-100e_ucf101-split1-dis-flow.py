# As tsn_in1k-pre-bninception_8xb8-5x1x3-100e_ucf101-split1-flow.py, the baseline of "Spatial-
# Temporal Bottom-Up Top-Down Attention Model for Action Recognition" (ICIG 2019), but with
# flow of another kind, computed from the videos while they are read: nothing is extracted.
_base_ = [
    '../../_base_/models/tsn_bninception.py',
    '../../_base_/datasets/tsn_computed_flow_224.py',
    '../../_base_/schedules/sgd_100e.py',
    '../../_base_/lists/ucf101_videos.py',
]

model = dict(
    backbone=dict(in_channels=10),
    # Flow is centered at 128 and keeps the unit of the RGB weights.
    data_preprocessor=dict(mean=[128] * 10, std=[1] * 10, to_rgb=False),
    cls_head=dict(num_classes=101))

train_dataloader = dict(dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)
