# STBTA in 3D ResNeXt-101, RGB of UCF101: Table 7, row "ResNext-101 (64f) + STBTA", and by options
# "+ fine-tune strategy" there, of "Spatial-Temporal Bottom-Up Top-Down Attention Model for Action
# Recognition" (ICIG 2019). It is before the one stage that learns.
_base_ = '../resnext3d/resnext3d_k400-pre-resnext101_8xb8-64x1x1-100e_ucf101-split1-rgb.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmattn.AttentionBackbone',
        backbone=_base_.model.backbone,
        attentions=[
            dict(
                before='layer4',
                module=dict(type='mmattn.STBTA', t=1, channel_attention='none')),
        ]))
