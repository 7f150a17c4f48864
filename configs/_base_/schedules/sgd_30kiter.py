# SGD at 5e-3, divided by 10 every 10000 iterations, 30000 in all: flow ConvNets.
_base_ = '../default_runtime.py'

train_cfg = dict(
    type='mmattn.ResumableIterLoop', max_iters=30000, val_begin=1, val_interval=1000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=0.0005))
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=30000, by_epoch=False,
         milestones=[10000, 20000], gamma=0.1)
]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=1000))
log_processor = dict(by_epoch=False)
auto_scale_lr = dict(enable=False, base_batch_size=256)
