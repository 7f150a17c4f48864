"""Optimizer wrappers and their constructors."""

from mmattn.engine.optimizers.bf16_optim_wrapper import Bf16OptimWrapper

__all__ = ['Bf16OptimWrapper']
