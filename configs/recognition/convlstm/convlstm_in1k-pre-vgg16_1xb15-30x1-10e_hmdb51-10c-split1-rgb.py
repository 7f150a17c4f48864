# The report's model on ten classes of HMDB51, section 4 of "Spatio-Temporal Attention
# for Video Action Recognition". The lists come from tools/data/hmdb51_subset.py.
_base_ = [
    '../../_base_/models/convlstm_vgg16.py',
    '../../_base_/datasets/spaced_frames_rgb_224.py',
    '../../_base_/schedules/adam_10e.py',
]

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
