# Lists of one official split of HMDB51, extracted flow. The variable MMATTN_SPLIT, or --split, chooses it.
train_list = dict(
    ann_file='data/hmdb51/hmdb51_train_split_{{$MMATTN_SPLIT:1}}_flow.txt',
    data_prefix=dict(img='data/hmdb51/rawframes'),
    num_classes=51)
test_list = dict(
    ann_file='data/hmdb51/hmdb51_val_split_{{$MMATTN_SPLIT:1}}_flow.txt',
    data_prefix=dict(img='data/hmdb51/rawframes'),
    num_classes=51)
