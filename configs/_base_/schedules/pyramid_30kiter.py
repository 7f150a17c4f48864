# SGD on batches of 64 at 5e-3, divided by 10 after 12000 and 24000 iterations, 30000 in all:
# flow of pyramid attention.
_base_ = '../default_runtime.py'

train_cfg = dict(
    type='mmattn.ResumableIterLoop', max_iters=30000, val_begin=1, val_interval=1000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=4e-5))
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=30000, by_epoch=False,
         milestones=[12000, 24000], gamma=0.1)
]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=1000))
log_processor = dict(by_epoch=False)
auto_scale_lr = dict(enable=False, base_batch_size=64)
