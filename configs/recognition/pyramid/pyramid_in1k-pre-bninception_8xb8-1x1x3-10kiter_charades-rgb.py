# RGB of untrimmed Charades, BN-Inception, 3 scales, of "Interaction-aware Spatio-temporal
# Pyramid Attention Networks for Action Classification" (ECCV 2018), Table 2 (b).
_base_ = [
    '../../_base_/models/pyramid_bninception.py',
    '../../_base_/datasets/tsn_rgb_224.py',
    '../../_base_/schedules/pyramid_10kiter.py',
]

model = dict(cls_head=dict(type='mmattn.MultiLabelTSNHead', num_classes=157))

# Videos have any number of actions, and some have none.
videos = dict(
    data_prefix=dict(video='data/charades/videos'),
    num_classes=157,
    multi_class=True,
    allow_unlabeled=True)
train_list = dict(ann_file='data/charades/train_videos.txt', **videos)
test_list = dict(ann_file='data/charades/test_videos.txt', **videos)
train_dataloader = dict(sampler=dict(infinite=True), dataset=train_list)
val_dataloader = dict(dataset=test_list)
test_dataloader = dict(dataset=test_list)

val_evaluator = dict(type='mmattn.CharadesMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='charades/mAP', rule='greater'))
