# Row "motion stream attention" on UCF101: Table 1 of "Improving Human
# Action Recognition by Temporal Attention" (ICIP 2017).
# The features come from tools/data/extract_features.py, see the README beside this file.
_base_ = [
    '../../_base_/models/temporal_lstm_features.py',
    '../../_base_/datasets/temporal_lstm_features.py',
    '../../_base_/schedules/adadelta_50e.py',
]

root = 'data/ucf101/features/vgg16_fc6_flow/split{{$MMATTN_SPLIT:1}}'
model = dict(cls_head=dict(num_classes=101))

train_list = dict(
    ann_file=root + '/train.txt', data_prefix=dict(feature=root), num_classes=101)
test_list = dict(
    ann_file=root + '/test.txt', data_prefix=dict(feature=root), num_classes=101)
train_dataloader = dict(dataset=train_list)
val_dataloader = dict(dataset=test_list)
test_dataloader = dict(dataset=test_list)
