"""torchvision's operators, where a torchvision is installed that fits this torch."""

import functools
import importlib.util
import warnings
from typing import Any

import torch


@functools.cache
def torchvision_operators() -> Any:
    """Find torchvision's operators.

    Returns:
        ``torch.ops.torchvision``, or None where torchvision is not installed or, with
        one warning, where the installed one does not work with this torch.
    """
    if importlib.util.find_spec('torchvision') is None:
        return None
    try:
        import torchvision.ops  # noqa: F401  (registers the operators)
    except (ImportError, RuntimeError) as error:
        warnings.warn(
            f'the installed torchvision does not fit torch {torch.__version__} '
            f'({error}): RoIAlign and NMS run in plain PyTorch'
        )
        return None
    return torch.ops.torchvision
