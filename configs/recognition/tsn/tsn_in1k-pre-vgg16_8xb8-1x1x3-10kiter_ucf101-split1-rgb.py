# Temporal segment network on VGG-16, RGB of UCF101, without attention: the baseline of
# "Interaction-aware Spatio-temporal Pyramid Attention Networks for Action Classification"
# (ECCV 2018), Table 1 (e). Schedule, decay and dropout of that paper.
_base_ = [
    '../../_base_/models/temporal_lstm_convnet.py',
    '../../_base_/datasets/tsn_rgb_224.py',
    '../../_base_/schedules/sgd_10kiter.py',
]

model = dict(cls_head=dict(num_classes=101))

optim_wrapper = dict(optimizer=dict(weight_decay=4e-5))
auto_scale_lr = dict(base_batch_size=64)

train_list = dict(
    ann_file='data/ucf101/ucf101_train_split_{{$MMATTN_SPLIT:1}}_videos.txt',
    data_prefix=dict(video='data/ucf101/videos'),
    num_classes=101)
test_list = dict(
    ann_file='data/ucf101/ucf101_val_split_{{$MMATTN_SPLIT:1}}_videos.txt',
    data_prefix=dict(video='data/ucf101/videos'),
    num_classes=101)
train_dataloader = dict(sampler=dict(infinite=True), dataset=train_list)
val_dataloader = dict(dataset=test_list)
test_dataloader = dict(dataset=test_list)
