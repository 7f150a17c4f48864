# Pyramid attention on 3 scales of Inception-ResNet-v2, frames of 299 pixels; the
# aggregated map goes on through conv2d_7b.
_base_ = 'tsn_inception_resnet_v2.py'

model = dict(
    type='mmattn.ReductionRecognizer',
    chunk_frames=25,  # so that a test with more frames needs little more memory
    reduction=dict(
        taps=('repeat', 'repeat_1', 'block8'),
        module=dict(
            type='mmattn.PyramidAttentionNeck',
            in_channels=(320, 1088, 2080),
            top_size=(8, 8),
            fusion='mul',
            losses=[
                dict(type='mmattn.PyramidInteractionLoss', loss_weight=1e-4),
                dict(type='mmattn.PyramidAttentionLoss', loss_weight=1e-4),
            ])),
    cls_head=dict(dropout_ratio=0.5))
