# Temporal segment network on BN-Inception, RGB of UCF101, without attention: the baseline
# of "Spatial-Temporal Bottom-Up Top-Down Attention Model for Action Recognition" (ICIG
# 2019), Table 2. Schedule, dropout and test of that paper.
_base_ = [
    '../../_base_/models/tsn_bninception.py',
    '../../_base_/datasets/tsn_rgb_224.py',
    '../../_base_/schedules/sgd_100e.py',
    '../../_base_/lists/ucf101_videos.py',
]

model = dict(cls_head=dict(num_classes=101))

train_dataloader = dict(dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)
