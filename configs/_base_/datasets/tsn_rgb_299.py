# As tsn_rgb_224.py, at 299 x 299 from a short side of 340: Inception-ResNet-v2.
_base_ = 'tsn_rgb_224.py'

train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[3].scale = (-1, 340)
val_pipeline[3].scale = (-1, 340)
test_pipeline[3].scale = (-1, 340)
train_pipeline[4].input_size = 299
train_pipeline[5].scale = (299, 299)
val_pipeline[4].crop_size = 299
test_pipeline[4].crop_size = 299

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
