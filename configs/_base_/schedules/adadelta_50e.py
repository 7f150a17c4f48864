# Adadelta with its author's constants; the paper names the method only.
_base_ = '../default_runtime.py'

train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=50, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adadelta', lr=1.0, rho=0.95, eps=1e-6, weight_decay=0.0))
param_scheduler = []
auto_scale_lr = dict(enable=False, base_batch_size=64)
