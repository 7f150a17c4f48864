# I3D on Inception-v1, RGB of HMDB51, fine-tuned from Kinetics-400, without attention: the
# baseline of "Spatial-Temporal Bottom-Up Top-Down Attention Model for Action Recognition"
# (ICIG 2019), Table 7. The schedule is that of its 2D networks.
_base_ = [
    '../../_base_/models/i3d_inception_v1.py',
    '../../_base_/datasets/clips_rgb_224.py',
    '../../_base_/schedules/sgd_100e.py',
    '../../_base_/lists/hmdb51_videos.py',
]

model = dict(cls_head=dict(num_classes=51))

train_dataloader = dict(dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)
