"""Optimizer wrappers and their constructors."""

from mmattn.engine.optimizers.bf16_optim_wrapper import Bf16OptimWrapper
from mmattn.engine.optimizers.sine_layerwise_constructor import (
    SineLayerwiseConstructor,
)

__all__ = ['Bf16OptimWrapper', 'SineLayerwiseConstructor']
