# The system with a small network on synthetic videos, persons by the proposals of the data.
_base_ = [
    '../../_base_/models/slowfast_attn_i3d_r50.py',
    '../../_base_/datasets/interaction_8x2.py',
    '../../_base_/schedules/adamw_onecycle_15e.py',
]

model = dict(
    init_cfg=None,
    backbone=dict(
        _delete_=True,
        type='mmaction.ResNet3d',
        depth=18,
        num_stages=3,
        stage_blocks=(1, 1, 1),
        out_indices=(2,),
        pretrained=None,
        pretrained2d=False,
        base_channels=12,
        conv1_kernel=(1, 5, 5),
        spatial_strides=(1, 2, 1),
        temporal_strides=(1, 1, 1),
        dilations=(1, 1, 1),
        inflate=(0, 1, 1),
        non_local=(0, 0, 0),
        with_pool2=False,
        zero_init_residual=False),
    roi_head=dict(
        bbox_roi_extractor=dict(output_size=4, featmap_stride=8),
        shared_head=dict(in_channels=48, num_layers=1),
        bbox_head=dict(in_channels=192, num_classes=7, dropout_ratio=0.0)))
