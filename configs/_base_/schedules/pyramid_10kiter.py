# SGD on batches of 64 at 1e-3, divided by 10 every 4000 iterations, 10000 in all: RGB of
# pyramid attention.
_base_ = '../default_runtime.py'

train_cfg = dict(
    type='mmattn.ResumableIterLoop', max_iters=10000, val_begin=1, val_interval=1000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=4e-5))
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=10000, by_epoch=False,
         milestones=[4000, 8000], gamma=0.1)
]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=1000))
log_processor = dict(by_epoch=False)
auto_scale_lr = dict(enable=False, base_batch_size=64)
