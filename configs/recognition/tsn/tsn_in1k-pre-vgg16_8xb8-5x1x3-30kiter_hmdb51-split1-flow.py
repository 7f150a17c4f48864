# Temporal segment network on VGG-16, optical flow of HMDB51, without attention: the
# baseline of "Interaction-aware Spatio-temporal Pyramid Attention Networks for Action
# Classification" (ECCV 2018). Schedule, decay and dropout of that paper.
_base_ = [
    '../../_base_/models/temporal_lstm_convnet.py',
    '../../_base_/datasets/tsn_flow_224.py',
    '../../_base_/schedules/pyramid_30kiter.py',
    '../../_base_/lists/hmdb51_flow.py',
]

model = dict(
    backbone=dict(in_channels=10, dropout=0.7),
    # Flow is centered at 128; the ImageNet weights expect a unit of about 57.6.
    data_preprocessor=dict(mean=[128] * 10, std=[57.6] * 10),
    cls_head=dict(num_classes=51, dropout_ratio=0.7))

train_dataloader = dict(sampler=dict(infinite=True), dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)
