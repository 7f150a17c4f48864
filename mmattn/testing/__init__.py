"""Helpers that make configs and data small enough for tests."""

from mmattn.testing.data import make_tiny_data
from mmattn.testing.run import train_and_test
from mmattn.testing.shrink import shrink

__all__ = ['make_tiny_data', 'shrink', 'train_and_test']
