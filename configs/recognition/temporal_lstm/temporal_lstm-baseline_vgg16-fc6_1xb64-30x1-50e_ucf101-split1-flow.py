# Row "motion stream baseline" on UCF101: Table 1 of "Improving Human
# Action Recognition by Temporal Attention" (ICIP 2017).
_base_ = './temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-flow.py'

model = dict(cls_head=dict(lstm=dict(attention=False)))  # x_t = mean of the frames' features
