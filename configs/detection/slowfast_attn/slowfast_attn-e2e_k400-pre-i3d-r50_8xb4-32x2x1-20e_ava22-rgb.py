# Row "Ours" of Table 1 and the last row of Table 2 of "Spatio-Temporal SlowFast Self-Attention
# Network for Action Recognition" (ICIP 2020), persons by its own proposals, on AVA v2.2.
_base_ = [
    '../../_base_/models/slowfast_attn_e2e_i3d_r50.py',
    '../../_base_/datasets/ava_32x2_256.py',
    '../../_base_/schedules/sgd_ava_20e.py',
]

root = 'data/ava/annotations'
label_file = root + '/ava_action_list_v2.2_for_activitynet_2019.pbtxt'
train_dataloader = dict(
    dataset=dict(
        ann_file=root + '/ava_train_v2.2.csv',
        exclude_file=root + '/ava_train_excluded_timestamps_v2.2.csv',
        proposal_file=None))
val_list = dict(
    ann_file=root + '/ava_val_v2.2.csv',
    exclude_file=root + '/ava_val_excluded_timestamps_v2.2.csv')
val_dataloader = dict(dataset=dict(proposal_file=None, **val_list))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmattn.FrameMAP', label_file=label_file, **val_list)
test_evaluator = val_evaluator
