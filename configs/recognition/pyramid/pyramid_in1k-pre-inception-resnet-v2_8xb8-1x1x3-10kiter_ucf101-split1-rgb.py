# RGB of UCF101, Inception-ResNet-v2, 3 scales, of "Interaction-aware Spatio-temporal
# Pyramid Attention Networks for Action Classification" (ECCV 2018), Table 1, Fig. 3 and
# Table 2 (a).
_base_ = [
    '../../_base_/models/pyramid_inception_resnet_v2.py',
    '../../_base_/datasets/tsn_rgb_299.py',
    '../../_base_/schedules/pyramid_10kiter.py',
    '../../_base_/lists/ucf101_videos.py',
]

model = dict(cls_head=dict(num_classes=101))

train_dataloader = dict(sampler=dict(infinite=True), dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)
