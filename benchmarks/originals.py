"""The networks of torchvision and timm that our backbones have the weights of."""

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from mmattn.models.backbones import VGG, InceptionResNetV2, InceptionV3


class Original(NamedTuple):
    """A network of another library, without its classifier.

    Args:
        library: Package to import.
        build: Makes the network; its output has the values of ours in the same order.
        ours: Makes our backbone, which takes the same ``state_dict``.
        size: Height and width of the frames that it is made for.
    """

    library: str
    build: Callable[[], nn.Module]
    ours: Callable[[], nn.Module]
    size: int


def torchvision_vgg(name: str) -> nn.Module:
    from torchvision import models

    vgg = models.get_model(name, weights=None)
    vgg.classifier = vgg.classifier[:5]  # up to the ReLU of fc7
    return vgg


def torchvision_inception() -> nn.Module:
    from torchvision import models

    net = models.inception_v3(
        weights=None, aux_logits=False, transform_input=False, init_weights=False
    )
    net.avgpool, net.dropout, net.fc = nn.Identity(), nn.Identity(), nn.Identity()
    return net


def timm_net(name: str) -> nn.Module:
    import timm

    return timm.create_model(name, num_classes=0, global_pool='')


ORIGINALS = {
    'torchvision vgg16': Original(
        'torchvision',
        lambda: torchvision_vgg('vgg16'),
        lambda: VGG(16, out='fc7'),
        224,
    ),
    'torchvision vgg16_bn': Original(
        'torchvision',
        lambda: torchvision_vgg('vgg16_bn'),
        lambda: VGG(16, batch_norm=True, out='fc7'),
        224,
    ),
    'torchvision inception_v3': Original(
        'torchvision', torchvision_inception, InceptionV3, 299
    ),
    'timm inception_v3': Original(
        'timm', lambda: timm_net('inception_v3'), InceptionV3, 299
    ),
    'timm inception_resnet_v2': Original(
        'timm', lambda: timm_net('inception_resnet_v2'), InceptionResNetV2, 299
    ),
}
