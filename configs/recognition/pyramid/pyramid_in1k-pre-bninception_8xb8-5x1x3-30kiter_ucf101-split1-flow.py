# Optical flow of UCF101, BN-Inception, 3 scales, of "Interaction-aware Spatio-temporal
# Pyramid Attention Networks for Action Classification" (ECCV 2018), Tables 1 (e) and 2
# (a).
_base_ = [
    '../../_base_/models/pyramid_bninception.py',
    '../../_base_/datasets/tsn_flow_224.py',
    '../../_base_/schedules/pyramid_30kiter.py',
    '../../_base_/lists/ucf101_flow.py',
]

model = dict(
    backbone=dict(in_channels=10),
    # Flow is centered at 128 and keeps the unit of the RGB weights.
    data_preprocessor=dict(mean=[128] * 10, std=[1] * 10, to_rgb=False),
    cls_head=dict(num_classes=101, dropout_ratio=0.7))

train_dataloader = dict(sampler=dict(infinite=True), dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)
