# Temporal segment network on VGG-16, RGB of UCF101, without attention: the baseline of
# "Interaction-aware Spatio-temporal Pyramid Attention Networks for Action Classification"
# (ECCV 2018). Schedule, decay and dropout of that paper.
_base_ = [
    '../../_base_/models/temporal_lstm_convnet.py',
    '../../_base_/datasets/tsn_rgb_224.py',
    '../../_base_/schedules/pyramid_10kiter.py',
    '../../_base_/lists/ucf101_videos.py',
]

model = dict(cls_head=dict(num_classes=101))

train_dataloader = dict(sampler=dict(infinite=True), dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)
