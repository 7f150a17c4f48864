# The model of "Spatio-Temporal Attention for Video Action Recognition" on all of UCF101; the
# report gives no figure for it.
_base_ = [
    '../../_base_/models/convlstm_vgg16.py',
    '../../_base_/datasets/spaced_frames_rgb_224.py',
    '../../_base_/schedules/adam_10e.py',
    '../../_base_/lists/ucf101_videos.py',
]

model = dict(cls_head=dict(num_classes=101))

train_dataloader = dict(dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)
