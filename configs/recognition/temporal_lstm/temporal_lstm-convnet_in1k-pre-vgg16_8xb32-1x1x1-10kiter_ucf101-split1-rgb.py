# ConvNet (step 1) of the appearance rows on UCF101: Table 1 of "Improving Human
# Action Recognition by Temporal Attention" (ICIP 2017).
_base_ = [
    '../../_base_/models/temporal_lstm_convnet.py',
    '../../_base_/datasets/frames_rgb_224.py',
    '../../_base_/schedules/sgd_10kiter.py',
]

model = dict(
    cls_head=dict(num_classes=101))

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
