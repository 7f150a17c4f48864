# Temporal segment network on Inception-v3, optical flow of HMDB51, without attention: the
# baseline of "Spatial-Temporal Bottom-Up Top-Down Attention Model for Action Recognition"
# (ICIG 2019). Schedule, dropout and test of that paper.
_base_ = [
    '../../_base_/models/tsn_inception_v3.py',
    '../../_base_/datasets/tsn_flow_224.py',
    '../../_base_/schedules/sgd_100e.py',
    '../../_base_/lists/hmdb51_flow.py',
]

model = dict(
    backbone=dict(in_channels=10),
    # Flow is centered at 128 and scaled as the RGB that the weights expect.
    data_preprocessor=dict(mean=[128] * 10, std=[127.5] * 10),
    cls_head=dict(num_classes=51))

train_dataloader = dict(dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)
