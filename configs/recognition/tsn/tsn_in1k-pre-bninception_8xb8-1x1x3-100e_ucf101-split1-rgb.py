# Temporal segment network on BN-Inception, RGB of UCF101, without attention: the baseline
# of "Spatial-Temporal Bottom-Up Top-Down Attention Model for Action Recognition" (ICIG
# 2019), Table 2. Schedule, dropout and test of that paper.
_base_ = [
    '../../_base_/models/tsn_bninception.py',
    '../../_base_/datasets/tsn_rgb_224.py',
    '../../_base_/schedules/sgd_100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=101))

train_list = dict(
    ann_file='data/ucf101/ucf101_train_split_{{$MMATTN_SPLIT:1}}_videos.txt',
    data_prefix=dict(video='data/ucf101/videos'),
    num_classes=101)
test_list = dict(
    ann_file='data/ucf101/ucf101_val_split_{{$MMATTN_SPLIT:1}}_videos.txt',
    data_prefix=dict(video='data/ucf101/videos'),
    num_classes=101)
train_dataloader = dict(dataset=train_list)
val_dataloader = dict(dataset=test_list)
test_dataloader = dict(dataset=test_list)
