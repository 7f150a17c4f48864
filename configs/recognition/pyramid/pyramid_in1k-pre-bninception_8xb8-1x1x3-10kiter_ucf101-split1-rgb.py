# RGB of UCF101, BN-Inception, 3 scales, of "Interaction-aware Spatio-temporal Pyramid
# Attention Networks for Action Classification" (ECCV 2018), Tables 1 (e) and 2 (a).
_base_ = [
    '../../_base_/models/pyramid_bninception.py',
    '../../_base_/datasets/pyramid_rgb_224.py',
    '../../_base_/schedules/pyramid_10kiter.py',
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
