# Pyramid attention on 3 scales of VGG-16, frames of 224 pixels; the aggregated map goes
# on through pool5, fc6 and fc7.
_base_ = 'temporal_lstm_convnet.py'

model = dict(
    type='mmattn.ReductionRecognizer',
    chunk_frames=25,  # so that a test with more frames needs little more memory
    reduction=dict(
        taps=('conv3', 'conv4', 'conv5'),
        module=dict(
            type='mmattn.PyramidAttentionNeck',
            in_channels=(256, 512, 512),
            top_size=(14, 14),
            fusion='mul',
            losses=[
                dict(type='mmattn.PyramidInteractionLoss', loss_weight=1e-4),
                dict(type='mmattn.PyramidAttentionLoss', loss_weight=1e-4),
            ])),
    cls_head=dict(dropout_ratio=0.5))
