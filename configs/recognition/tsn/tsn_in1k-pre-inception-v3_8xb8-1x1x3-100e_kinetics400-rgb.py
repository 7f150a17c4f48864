# Temporal segment network on Inception-v3, RGB of Kinetics-400, without attention: the
# baseline of "Spatial-Temporal Bottom-Up Top-Down Attention Model for Action Recognition"
# (ICIG 2019), Table 3. All normalizations learn, since the data set is large.
_base_ = [
    '../../_base_/models/tsn_inception_v3.py',
    '../../_base_/datasets/tsn_rgb_224.py',
    '../../_base_/schedules/sgd_100e.py',
]

model = dict(
    backbone=dict(partial_bn=False),
    cls_head=dict(num_classes=400))

train_list = dict(
    ann_file='data/kinetics400/kinetics400_train_list_videos.txt',
    data_prefix=dict(video='data/kinetics400/videos_train'),
    num_classes=400)
test_list = dict(
    ann_file='data/kinetics400/kinetics400_val_list_videos.txt',
    data_prefix=dict(video='data/kinetics400/videos_val'),
    num_classes=400)
train_dataloader = dict(dataset=train_list)
val_dataloader = dict(dataset=test_list)
test_dataloader = dict(dataset=test_list)
