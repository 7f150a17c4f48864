# AdamW with one cycle of the learning rate over 15 epochs.
_base_ = '../default_runtime.py'

train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=15, val_begin=15, val_interval=15)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.003, weight_decay=0.01),
    clip_grad=dict(max_norm=5.0))
param_scheduler = [
    dict(
        type='OneCycleLR',
        eta_max=0.003,
        total_steps=15,
        by_epoch=True,
        convert_to_iter_based=True)
]
auto_scale_lr = dict(enable=False, base_batch_size=8)
