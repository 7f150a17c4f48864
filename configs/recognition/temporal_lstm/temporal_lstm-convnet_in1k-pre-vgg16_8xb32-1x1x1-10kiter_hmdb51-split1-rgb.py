# ConvNet (step 1) of the appearance rows on HMDB51: Table 1 of "Improving Human
# Action Recognition by Temporal Attention" (ICIP 2017).
_base_ = [
    '../../_base_/models/temporal_lstm_convnet.py',
    '../../_base_/datasets/frames_rgb_224.py',
    '../../_base_/schedules/sgd_10kiter.py',
    '../../_base_/lists/hmdb51_videos.py',
]

model = dict(
    cls_head=dict(num_classes=51))

train_dataloader = dict(dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)
