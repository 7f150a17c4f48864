"""The five systems, small and without dropout, and data for them."""

import torch
from mmaction.registry import MODELS as HOST_MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch.nn.modules.batchnorm import _BatchNorm

from mmattn.testing.ava import BOXES, FPS, SECONDS, VIDEOS

K, T, TRAINED, TESTED = 5, 3, 4, 5  # classes, frames, videos
SIZE = (48, 64)  # height and width of AVA's frames
VGG = dict(type='mmattn.VGG', depth=11, batch_norm=True, base_channels=4)
TSN = dict(type='TSNHead', num_classes=K, in_channels=32, dropout_ratio=0)
TSN.update(init_std=0.5, average_clips='prob')
SLOW_ONLY = dict(
    type='ResNet3dSlowOnly',
    depth=18,
    pretrained=None,
    base_channels=4,
    conv1_kernel=(1, 7, 7),
    inflate=(0, 0, 1, 1),
)
SE = dict(channel_attention=dict(type='mmattn.SqueezeExcitation', reduction=2))
SEQUENCE = dict(num_classes=K, num_segments=T, average_clips='prob')
PYRAMID = dict(
    type='mmattn.PyramidAttentionNeck',
    in_channels=(8, 32),
    top_size=(2, 2),
    losses=[  # weights at which their gradients count
        dict(type='mmattn.PyramidInteractionLoss', loss_weight=0.1),
        dict(type='mmattn.PyramidAttentionLoss', loss_weight=0.1),
    ],
)
RECOGNIZERS = {
    'stbta': dict(
        type='mmattn.SegmentRecognizer',
        backbone=dict(
            type='mmattn.AttentionBackbone',
            backbone=dict(VGG, out='conv5'),
            attentions=[
                dict(before='conv3', module=dict(type='mmattn.STBTA', t=1, **SE)),
            ],
        ),
        cls_head=TSN,
    ),
    'pyramid': dict(
        type='mmattn.ReductionRecognizer',
        backbone=dict(VGG, out='conv5'),
        reduction=dict(taps=('conv2', 'conv5'), module=PYRAMID),
        cls_head=TSN,
    ),
    'temporal_lstm': dict(
        type='mmattn.FrameRecognizer',
        backbone=dict(VGG, out='pool5'),
        cls_head=dict(
            SEQUENCE,
            type='mmattn.TemporalLSTMHead',
            in_channels=32,
            test_steps=2,
            lstm=dict(num_steps=4, hidden_channels=7),
        ),
    ),
    'convlstm': dict(
        type='mmattn.FrameRecognizer',
        backbone=dict(VGG, out='pool3'),
        cls_head=dict(
            SEQUENCE,
            type='mmattn.ConvLSTMHead',
            in_channels=16,
            recurrence=dict(hidden_channels=7),
        ),
    ),
}
REGIONS = dict(
    assigner=dict(
        type='MaxIoUAssignerAVA', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5
    ),
    sampler=dict(
        type='RandomSampler',
        num=8,
        pos_fraction=1,
        neg_pos_ub=-1,
        add_gt_as_proposals=False,
    ),
    pos_weight=1.0,
)
EXTRACTOR = dict(
    type='SingleRoIExtractor3D',
    output_size=3,
    featmap_stride=16,
    with_temporal_pool=False,
)
DETECTOR = dict(
    type='FastRCNN',
    _scope_='mmdet',
    backbone=dict(
        type='mmaction.ResNet3d',
        depth=18,
        pretrained=None,
        base_channels=4,
        conv1_stride_t=1,
        pool1_stride_t=1,
        spatial_strides=(1, 2, 2, 1),
        zero_init_residual=False,
    ),
    roi_head=dict(
        type='mmattn.ActionRoIHead',
        bbox_roi_extractor=EXTRACTOR,
        shared_head=dict(type='mmattn.SlowFastSharedHead', in_channels=32),
        bbox_head=dict(
            type='mmattn.ActionBBoxHead', in_channels=128, num_classes=4, topk=(2,)
        ),
    ),
    train_cfg=dict(rcnn=REGIONS),
    test_cfg=dict(rcnn=dict(score_thr=0.002)),
)


def build(system, *, norms_learn=False):
    """Model in training mode and float64; batch norms usually in eval mode."""
    config = RECOGNIZERS.get(system, DETECTOR)
    torch.manual_seed(0)
    model = HOST_MODELS.build(ConfigDict(config))
    model.init_weights()
    for name, parameter in model.named_parameters():
        if name.endswith('gamma'):  # at 0 it keeps the gradient from what is inside
            parameter.data.fill_(0.5)
    model.double().train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.train(norms_learn)
    return model


def recognition_samples(count):
    samples = [ActionDataSample().set_gt_label(n % K) for n in range(count)]
    for sample in samples:
        sample.set_metainfo(dict(num_clips=T))
    return samples


def detection_samples(count):
    """As many boxes and labels in each video, so that shards weigh the same."""
    height, width = SIZE
    boxes = torch.tensor(BOXES).double() * torch.tensor([width, height] * 2)
    shifted = boxes + torch.tensor([2.0, 1.0, 1.0, -1.0])
    corner = torch.tensor([[0.0, 0.0, 6.0, 6.0]]).double()
    labels = torch.tensor([[0, 1, 0, 1], [0, 0, 1, 1.0]])
    samples = []
    for n in range(count):
        video, second = VIDEOS[n // 2 % 2], SECONDS[n % 2]
        metainfo = dict(img_shape=SIZE, video_id=video, timestamp=second)
        sample = ActionDataSample(metainfo=metainfo)
        sample.gt_instances = InstanceData(bboxes=boxes.clone(), labels=labels.clone())
        sample.proposals = InstanceData(bboxes=torch.cat([shifted, corner]))
        samples.append(sample)
    return samples


def data_of(system, folder):
    """Videos and samples of training and test, and the metrics' configs."""
    generator = torch.Generator().manual_seed(1)
    if system in RECOGNIZERS:
        shape, make, tested = (T, 3, 32, 32), recognition_samples, TESTED
        metrics = [dict(type='AccMetric', metric_list=('top_k_accuracy',))]
        metrics += [dict(type='FrameAccuracy', _scope_='mmattn')] * (
            system == 'convlstm'
        )
    else:
        shape, make, tested = (3, FPS, *SIZE), detection_samples, 3
        ava = dict(ann_file='truth.csv', label_file='labels.pbtxt')
        files = {key: str(folder / 'ava' / name) for key, name in ava.items()}
        metrics = [dict(type='mmattn.FrameMAP', **files)]
    videos = torch.randn(TRAINED + tested, *shape, generator=generator).double()
    trained = videos[:TRAINED], make(TRAINED)
    return trained, (videos[TRAINED:], make(tested)), metrics
