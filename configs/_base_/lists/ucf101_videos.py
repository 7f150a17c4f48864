# Lists of one official split of UCF101, videos. The variable MMATTN_SPLIT, or --split, chooses it.
train_list = dict(
    ann_file='data/ucf101/ucf101_train_split_{{$MMATTN_SPLIT:1}}_videos.txt',
    data_prefix=dict(video='data/ucf101/videos'),
    num_classes=101)
test_list = dict(
    ann_file='data/ucf101/ucf101_val_split_{{$MMATTN_SPLIT:1}}_videos.txt',
    data_prefix=dict(video='data/ucf101/videos'),
    num_classes=101)
