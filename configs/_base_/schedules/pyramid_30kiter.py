# SGD on batches of 64 at 5e-3, divided by 10 after 12000 and 24000 iterations, 30000 in all:
# flow of pyramid attention.
_base_ = 'sgd_30kiter.py'

optim_wrapper = dict(optimizer=dict(weight_decay=4e-5))
param_scheduler = [
    dict(type='MultiStepLR', begin=0, end=30000, by_epoch=False,
         milestones=[12000, 24000], gamma=0.1)
]
auto_scale_lr = dict(base_batch_size=64)
