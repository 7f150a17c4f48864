# Adam at 1e-3 for 10 epochs, and the validation loss beside the training loss.
_base_ = '../default_runtime.py'

train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=10, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='Adam', lr=0.001, weight_decay=0.0))
param_scheduler = []
custom_hooks = [
    dict(type='mmattn.ReproducibleHook'),
    dict(type='mmattn.ChannelsLastHook'),
    dict(type='mmattn.CheckpointGuardHook'),
    dict(type='mmattn.ClassCountHook'),
    dict(type='mmattn.DivergenceHook'),
    dict(type='mmattn.MissedValidationHook'),
    dict(type='mmattn.ValLossHook'),
]
auto_scale_lr = dict(enable=False, base_batch_size=15)
