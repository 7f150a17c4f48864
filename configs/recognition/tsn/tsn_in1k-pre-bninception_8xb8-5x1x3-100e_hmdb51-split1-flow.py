# Temporal segment network on BN-Inception, optical flow of HMDB51, without attention: the
# baseline of "Spatial-Temporal Bottom-Up Top-Down Attention Model for Action Recognition"
# (ICIG 2019). Schedule, dropout and test of that paper.
_base_ = [
    '../../_base_/models/tsn_bninception.py',
    '../../_base_/datasets/tsn_flow_224.py',
    '../../_base_/schedules/sgd_100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(in_channels=10),
    # Flow is centered at 128 and keeps the unit of the RGB weights.
    data_preprocessor=dict(mean=[128] * 10, std=[1] * 10, to_rgb=False),
    cls_head=dict(num_classes=51))

train_list = dict(
    ann_file='data/hmdb51/hmdb51_train_split_{{$MMATTN_SPLIT:1}}_flow.txt',
    data_prefix=dict(img='data/hmdb51/rawframes'),
    num_classes=51)
test_list = dict(
    ann_file='data/hmdb51/hmdb51_val_split_{{$MMATTN_SPLIT:1}}_flow.txt',
    data_prefix=dict(img='data/hmdb51/rawframes'),
    num_classes=51)
train_dataloader = dict(dataset=train_list)
val_dataloader = dict(dataset=test_list)
test_dataloader = dict(dataset=test_list)
