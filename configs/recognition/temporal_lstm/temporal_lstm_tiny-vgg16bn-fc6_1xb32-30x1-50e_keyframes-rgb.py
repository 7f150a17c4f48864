# Temporal attention (step 2) of the demonstration, on stored features of synthetic clips
# whose action shows in a fifth of the frames.
_base_ = [
    '../../_base_/models/temporal_lstm_features.py',
    '../../_base_/datasets/temporal_lstm_features.py',
    '../../_base_/schedules/adadelta_50e.py',
]

root = 'data/synthetic/keyframes_features'
model = dict(
    cls_head=dict(num_classes=10, in_channels=128, lstm=dict(hidden_channels=128)))

train_list = dict(
    ann_file=root + '/train.txt', data_prefix=dict(feature=root), num_classes=10)
test_list = dict(
    ann_file=root + '/test.txt', data_prefix=dict(feature=root), num_classes=10)
train_dataloader = dict(
    batch_size=32, num_workers=0, persistent_workers=False, dataset=train_list)
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=test_list)
test_dataloader = dict(num_workers=0, persistent_workers=False, dataset=test_list)

# Adadelta's step, right for the paper's 4096 features, is at times too large here.
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.002, weight_decay=0.01))
train_cfg = dict(max_epochs=50, val_begin=50, val_interval=50)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=50, by_epoch=True, convert_to_iter_based=True)
]
default_hooks = dict(checkpoint=dict(interval=10))
