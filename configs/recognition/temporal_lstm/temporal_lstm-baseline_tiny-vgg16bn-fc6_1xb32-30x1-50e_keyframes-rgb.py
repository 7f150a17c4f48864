# The demonstration's baseline: mean pooling over the frames, trained the same way.
_base_ = './temporal_lstm_tiny-vgg16bn-fc6_1xb32-30x1-50e_keyframes-rgb.py'

model = dict(cls_head=dict(lstm=dict(attention=False)))
