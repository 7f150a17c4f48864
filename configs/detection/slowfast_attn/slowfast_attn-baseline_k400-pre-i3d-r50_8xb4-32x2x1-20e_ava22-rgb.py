# The network without attention that Fig. 3 of "Spatio-Temporal SlowFast Self-Attention Network
# for Action Recognition" (ICIP 2020) compares with, on AVA v2.2.
_base_ = './slowfast_attn_k400-pre-i3d-r50_8xb4-32x2x1-20e_ava22-rgb.py'

model = dict(roi_head=dict(shared_head=None, bbox_head=dict(in_channels=2048)))
