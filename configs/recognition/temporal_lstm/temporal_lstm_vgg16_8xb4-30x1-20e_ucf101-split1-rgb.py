# The appearance stream of UCF101 from videos to scores in one network, to extract features, to
# test and draw a trained pair of ConvNet and recurrent part, or to train them end to end
# (model.freeze_backbone=False): "Improving Human Action Recognition by Temporal Attention".
_base_ = [
    '../../_base_/models/temporal_lstm_features.py',
    '../../_base_/datasets/windows_rgb_224.py',
    '../../_base_/schedules/adadelta_50e.py',
    '../../_base_/lists/ucf101_videos.py',
]

# load_from takes the ConvNet of step 1, or a pair made by tools/convert/join_checkpoints.py.
model = dict(
    freeze_backbone=True,
    backbone=dict(
        _delete_=True,
        type='mmattn.VGG',
        depth=16,
        out='fc6'),
    cls_head=dict(num_classes=101),
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375]))

train_dataloader = dict(dataset=_base_.train_list)
val_dataloader = dict(dataset=_base_.test_list)
test_dataloader = dict(dataset=_base_.test_list)

train_cfg = dict(max_epochs=20)
auto_scale_lr = dict(base_batch_size=32)
