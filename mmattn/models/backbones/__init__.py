"""Backbones."""

from mmattn.models.backbones.stored_features import StoredFeatures
from mmattn.models.backbones.vgg import VGG

__all__ = ['VGG', 'StoredFeatures']
