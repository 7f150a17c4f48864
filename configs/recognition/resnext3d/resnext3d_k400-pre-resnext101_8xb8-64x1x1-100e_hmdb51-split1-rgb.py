# 3D ResNeXt-101, RGB of HMDB51, fine-tuned from Kinetics-400, without attention: the
# baseline of "Spatial-Temporal Bottom-Up Top-Down Attention Model for Action Recognition"
# (ICIG 2019), Table 7. The rate falls as in the 2D networks; what learns and its decay are
# Hara et al.'s.
_base_ = [
    '../../_base_/models/resnext3d_101.py',
    '../../_base_/datasets/clips_rgb_112.py',
    '../../_base_/schedules/sgd_100e.py',
    '../../_base_/lists/hmdb51_videos.py',
]

model = dict(cls_head=dict(num_classes=51))
optim_wrapper = dict(optimizer=dict(weight_decay=1e-5))

train_dataloader = dict(dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)
