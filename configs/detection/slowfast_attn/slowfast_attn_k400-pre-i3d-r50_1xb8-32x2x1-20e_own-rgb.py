# The model of row "Ours" of Table 1 of "Spatio-Temporal SlowFast Self-Attention Network for Action
# Recognition" (ICIP 2020) on videos and classes of your own: docs/own_detection_data.md.
_base_ = [
    '../../_base_/models/slowfast_attn_i3d_r50.py',
    '../../_base_/datasets/own_clips_256.py',
    '../../_base_/schedules/sgd_ava_20e.py',
]

model = dict(roi_head=dict(bbox_head=dict(num_classes={{_base_.num_classes}}, topk=())))
optim_wrapper = dict(optimizer=dict(lr=0.0125))
