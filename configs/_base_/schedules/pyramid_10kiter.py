# SGD on batches of 64 at 1e-3, divided by 10 every 4000 iterations, 10000 in all: RGB of
# pyramid attention.
_base_ = 'sgd_10kiter.py'

optim_wrapper = dict(optimizer=dict(weight_decay=4e-5))
auto_scale_lr = dict(base_batch_size=64)
