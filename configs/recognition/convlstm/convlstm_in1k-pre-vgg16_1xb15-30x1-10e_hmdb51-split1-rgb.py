# The model of "Spatio-Temporal Attention for Video Action Recognition" on all of HMDB51; the
# report gives no figure for it.
_base_ = [
    '../../_base_/models/convlstm_vgg16.py',
    '../../_base_/datasets/spaced_frames_rgb_224.py',
    '../../_base_/schedules/adam_10e.py',
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
