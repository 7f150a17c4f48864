"""Backbones."""

from mmattn.models.backbones.attention_backbone import AttentionBackbone
from mmattn.models.backbones.bninception import BNInception
from mmattn.models.backbones.efficientnet_lite0 import EfficientNetLite0
from mmattn.models.backbones.inception_i3d import InceptionI3D
from mmattn.models.backbones.inception_resnet_v2 import InceptionResNetV2
from mmattn.models.backbones.inception_v3 import InceptionV3
from mmattn.models.backbones.resnext3d import ResNeXt3D
from mmattn.models.backbones.stored_features import StoredFeatures
from mmattn.models.backbones.vgg import VGG

__all__ = [
    'VGG',
    'AttentionBackbone',
    'BNInception',
    'EfficientNetLite0',
    'InceptionI3D',
    'InceptionResNetV2',
    'InceptionV3',
    'ResNeXt3D',
    'StoredFeatures',
]
