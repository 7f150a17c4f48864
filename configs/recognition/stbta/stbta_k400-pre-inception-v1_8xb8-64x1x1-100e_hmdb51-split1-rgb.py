# STBTA in I3D on Inception-v1, RGB of HMDB51: Table 7, row "RGB-I3D (64f) + STBTA", and by an
# option "+ fine-tune strategy" there, of "Spatial-Temporal Bottom-Up Top-Down Attention Model for
# Action Recognition" (ICIG 2019). The place is where Table 2 has it in BN-Inception.
_base_ = '../i3d/i3d_k400-pre-inception-v1_8xb8-64x1x1-100e_hmdb51-split1-rgb.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmattn.AttentionBackbone',
        backbone=_base_.model.backbone,
        attentions=[
            dict(
                before='Mixed_3c',
                module=dict(type='mmattn.STBTA', t=2, channel_attention='none')),
        ]))
