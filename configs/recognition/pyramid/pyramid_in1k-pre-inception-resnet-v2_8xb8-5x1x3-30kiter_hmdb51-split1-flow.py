# Optical flow of HMDB51, Inception-ResNet-v2, 3 scales, of "Interaction-aware
# Spatio-temporal Pyramid Attention Networks for Action Classification" (ECCV 2018), Table
# 2 (a).
_base_ = [
    '../../_base_/models/pyramid_inception_resnet_v2.py',
    '../../_base_/datasets/tsn_flow_299.py',
    '../../_base_/schedules/pyramid_30kiter.py',
    '../../_base_/lists/hmdb51_flow.py',
]

model = dict(
    backbone=dict(in_channels=10),
    # Flow is centered at 128 and scaled as the RGB that the weights expect.
    data_preprocessor=dict(mean=[128] * 10, std=[127.5] * 10),
    cls_head=dict(num_classes=51, dropout_ratio=0.7))

train_dataloader = dict(sampler=dict(infinite=True), dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)
