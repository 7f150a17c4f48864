"""A detector of persons small enough for tests: mmdet's FCOS, of two classes."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

PERSONS = dict(
    type='FCOS',
    data_preprocessor=dict(type='DetDataPreprocessor'),
    backbone=dict(
        type='ResNet', depth=18, base_channels=4, out_indices=(2,), init_cfg=None
    ),
    neck=None,
    bbox_head=dict(
        type='FCOSHead',
        num_classes=2,
        in_channels=16,
        feat_channels=8,
        stacked_convs=1,
        strides=[16],
        regress_ranges=((-1, 1e8),),
        norm_cfg=None,
    ),
    test_cfg=dict(
        nms_pre=100,
        score_thr=0.0,
        nms=dict(type='nms', iou_threshold=0.9),
        max_per_img=20,
    ),
)
PERSONS_PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(160, 120), keep_ratio=False),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]


def write_person_detector(folder: Path) -> tuple[str, str]:
    """Write the config and the weights of the detector, untrained.

    Args:
        folder: Folder of ``persons.py`` and ``persons.pth``.

    Returns:
        The two files. The classes are cat and person.
    """
    from mmdet.registry import MODELS

    dataset = dict(dataset=dict(pipeline=PERSONS_PIPELINE))
    cfg = Config(dict(default_scope='mmdet', model=PERSONS, test_dataloader=dataset))
    cfg.dump(folder / 'persons.py')
    with DefaultScope.overwrite_default_scope('mmdet'):
        torch.manual_seed(0)
        weights = MODELS.build(cfg.model).state_dict()
    meta = dict(dataset_meta=dict(classes=('cat', 'person')))
    torch.save(dict(state_dict=weights, meta=meta), folder / 'persons.pth')
    return str(folder / 'persons.py'), str(folder / 'persons.pth')
