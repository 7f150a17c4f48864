# ConvNet (step 1) of the motion rows on HMDB51: Table 1 of "Improving Human
# Action Recognition by Temporal Attention" (ICIP 2017).
_base_ = [
    '../../_base_/models/temporal_lstm_convnet.py',
    '../../_base_/datasets/stacks_flow_224.py',
    '../../_base_/schedules/sgd_30kiter.py',
    '../../_base_/lists/hmdb51_flow.py',
]

model = dict(
    backbone=dict(in_channels=10),
    # Flow is centred at 128; the ImageNet weights expect a unit of about 57.6.
    data_preprocessor=dict(mean=[128] * 10, std=[57.6] * 10),
    cls_head=dict(num_classes=51))

train_dataloader = dict(dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)
