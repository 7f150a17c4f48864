# The model of "Spatio-Temporal Attention for Video Action Recognition" on all of UCF101; the
# report gives no figure for it.
_base_ = [
    '../../_base_/models/convlstm_vgg16.py',
    '../../_base_/datasets/spaced_frames_rgb_224.py',
    '../../_base_/schedules/adam_10e.py',
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
