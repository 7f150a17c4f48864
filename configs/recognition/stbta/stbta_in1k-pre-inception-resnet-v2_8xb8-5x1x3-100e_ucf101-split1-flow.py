# Two STBTA in Inception-ResNet-v2, optical flow of UCF101: Table 6, a stream of row "Two Stream
# STBTA Net", of "Spatial-Temporal Bottom-Up Top-Down Attention Model for Action Recognition" (ICIG
# 2019).
_base_ = '../tsn/tsn_in1k-pre-inception-resnet-v2_8xb8-5x1x3-100e_ucf101-split1-flow.py'

model = dict(
    type='mmattn.SegmentRecognizer',
    backbone=dict(
        _delete_=True,
        type='mmattn.AttentionBackbone',
        backbone=_base_.model.backbone,
        attentions=[
            dict(
                before='mixed_5b',
                module=dict(type='mmattn.STBTA', t=3, channel_attention='none')),
            dict(
                before='mixed_7a',
                module=dict(type='mmattn.STBTA', t=2, channel_attention='none')),
        ]))
