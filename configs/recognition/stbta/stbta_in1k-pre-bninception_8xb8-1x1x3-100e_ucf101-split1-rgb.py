# Two STBTA in BN-Inception, RGB of UCF101: Table 2, row "+ 2 STBTA", of "Spatial-Temporal Bottom-
# Up Top-Down Attention Model for Action Recognition" (ICIG 2019).
_base_ = '../tsn/tsn_in1k-pre-bninception_8xb8-1x1x3-100e_ucf101-split1-rgb.py'

model = dict(
    type='mmattn.SegmentRecognizer',
    backbone=dict(
        _delete_=True,
        type='mmattn.AttentionBackbone',
        backbone=_base_.model.backbone,
        attentions=[
            dict(
                before='inception_3c',
                module=dict(type='mmattn.STBTA', t=2, channel_attention='none')),
            dict(
                before='inception_4d',
                module=dict(type='mmattn.STBTA', t=1, channel_attention='none')),
        ]))
