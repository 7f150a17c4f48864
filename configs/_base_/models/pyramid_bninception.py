# Pyramid attention on 3 scales of BN-Inception, frames of 224 pixels; the aggregated map
# is pooled and classified.
_base_ = 'tsn_bninception.py'

model = dict(
    type='mmattn.ReductionRecognizer',
    chunk_frames=25,  # so that a test with more frames needs little more memory
    reduction=dict(
        taps=('inception_3b', 'inception_4d', 'inception_5b'),
        module=dict(
            type='mmattn.PyramidAttentionNeck',
            in_channels=(320, 608, 1024),
            top_size=(7, 7),
            fusion='mul',
            losses=[
                dict(type='mmattn.PyramidInteractionLoss', loss_weight=1e-4),
                dict(type='mmattn.PyramidAttentionLoss', loss_weight=1e-4),
            ])),
    cls_head=dict(dropout_ratio=0.5))
