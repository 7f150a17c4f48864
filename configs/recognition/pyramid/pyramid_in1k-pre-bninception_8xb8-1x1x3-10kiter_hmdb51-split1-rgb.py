# RGB of HMDB51, BN-Inception, 3 scales, of "Interaction-aware Spatio-temporal Pyramid
# Attention Networks for Action Classification" (ECCV 2018), Table 2 (a).
_base_ = [
    '../../_base_/models/pyramid_bninception.py',
    '../../_base_/datasets/pyramid_rgb_224.py',
    '../../_base_/schedules/pyramid_10kiter.py',
]

model = dict(cls_head=dict(num_classes=51))

train_list = dict(
    ann_file='data/hmdb51/hmdb51_train_split_{{$MMATTN_SPLIT:1}}_videos.txt',
    data_prefix=dict(video='data/hmdb51/videos'),
    num_classes=51)
test_list = dict(
    ann_file='data/hmdb51/hmdb51_val_split_{{$MMATTN_SPLIT:1}}_videos.txt',
    data_prefix=dict(video='data/hmdb51/videos'),
    num_classes=51)
train_dataloader = dict(dataset=train_list)
val_dataloader = dict(dataset=test_list)
test_dataloader = dict(dataset=test_list)
