# An LSTM in the ConvLSTM's place, section 5 of "Spatio-Temporal Attention for Video
# Action Recognition", which names this comparison and gives no figure.
_base_ = [
    '../../_base_/models/convlstm_vgg16.py',
    '../../_base_/datasets/spaced_frames_rgb_224.py',
    '../../_base_/schedules/adam_10e.py',
]

model = dict(cls_head=dict(recurrence=dict(cell='lstm')))

videos = dict(data_prefix=dict(video='data/hmdb51/videos'), num_classes=10)
train_dataloader = dict(dataset=dict(
    ann_file='data/hmdb51/hmdb51_10c_train_split_{{$MMATTN_SPLIT:1}}_videos.txt',
    **videos))
val_dataloader = dict(dataset=dict(
    ann_file='data/hmdb51/hmdb51_10c_val_split_{{$MMATTN_SPLIT:1}}_videos.txt',
    **videos))
test_dataloader = dict(dataset=dict(
    ann_file='data/hmdb51/hmdb51_10c_test_split_{{$MMATTN_SPLIT:1}}_videos.txt',
    **videos))
