"""Helpers that make configs and data small enough for tests."""

from mmattn.testing.data import make_tiny_data
from mmattn.testing.run import build_runner, train_and_test
from mmattn.testing.shrink import shrink

__all__ = ['build_runner', 'make_tiny_data', 'shrink', 'train_and_test']
