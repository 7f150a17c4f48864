# The system with a small network on synthetic videos, persons by its own proposals.
_base_ = './slowfast_attn_tiny-r3d_1xb8-8x2x1-15e_interaction-rgb.py'

model = dict(
    type='mmattn.ActionFasterRCNN',
    rpn_head=dict(
        type='RPNHead',
        in_channels=48,
        feat_channels=48,
        anchor_generator=dict(
            type='AnchorGenerator', scales=[2, 3], ratios=[1.0, 2.0], strides=[8])),
    train_cfg=dict(
        rpn=dict(
            assigner=dict(
                type='MaxIoUAssigner',
                pos_iou_thr=0.6,
                neg_iou_thr=0.3,
                min_pos_iou=0.3),
            sampler=dict(
                type='RandomSampler',
                num=64,
                pos_fraction=0.5,
                neg_pos_ub=-1,
                add_gt_as_proposals=False),
            allowed_border=-1,
            pos_weight=-1),
        rpn_proposal=dict(
            nms_pre=100,
            max_per_img=30,
            nms=dict(type='nms', iou_threshold=0.7),
            min_bbox_size=4),
        rcnn=dict(sampler=dict(num=12, pos_fraction=0.5))),
    test_cfg=dict(
        rpn=dict(
            nms_pre=100,
            max_per_img=10,
            nms=dict(type='nms', iou_threshold=0.6),
            min_bbox_size=4),
        rcnn=dict(nms=dict(_delete_=True, type='nms', iou_threshold=0.5))))
train_dataloader = dict(dataset=dict(proposal_file=None))
val_dataloader = dict(dataset=dict(proposal_file=None))
test_dataloader = val_dataloader
