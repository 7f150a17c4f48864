# ConvNet (step 1) of the appearance rows on HMDB51: Table 1 of "Improving Human
# Action Recognition by Temporal Attention" (ICIP 2017).
_base_ = [
    '../../_base_/models/temporal_lstm_convnet.py',
    '../../_base_/datasets/frames_rgb_224.py',
    '../../_base_/schedules/sgd_10kiter.py',
]

model = dict(
    cls_head=dict(num_classes=51))

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
