# Lists of one official split of HMDB51, videos. The variable MMATTN_SPLIT, or --split, chooses it.
train_list = dict(
    ann_file='data/hmdb51/hmdb51_train_split_{{$MMATTN_SPLIT:1}}_videos.txt',
    data_prefix=dict(video='data/hmdb51/videos'),
    num_classes=51)
test_list = dict(
    ann_file='data/hmdb51/hmdb51_val_split_{{$MMATTN_SPLIT:1}}_videos.txt',
    data_prefix=dict(video='data/hmdb51/videos'),
    num_classes=51)
