"""The operators of mmcv that detection needs, in PyTorch.

mmcv-lite holds the Python of ``mmcv.ops``, but not the compiled module ``mmcv._ext``
that does its work.  :func:`mmattn.compat.provide_operators` puts these functions in its
place where it is missing.  They have the names and arguments of the compiled ones,
which write their results into tensors that they are given.
"""

from collections.abc import Callable
from typing import Any

from mmattn.operators.regions import (
    roi_align_backward,
    roi_align_forward,
    roi_pool_backward,
    roi_pool_forward,
)
from mmattn.operators.suppression import nms, nms_match, softnms

__all__ = [
    'get_compiler_version',
    'get_compiling_cuda_version',
    'nms',
    'nms_match',
    'roi_align_backward',
    'roi_align_forward',
    'roi_pool_backward',
    'roi_pool_forward',
    'softnms',
]


def get_compiler_version() -> str:
    """What reports of the environment print as the compiler of the operators."""
    return 'none: PyTorch operators of mmattn'


def get_compiling_cuda_version() -> str:
    """What reports of the environment print as CUDA version of the operators."""
    return 'none: PyTorch operators of mmattn'


def refuse(name: str) -> Callable[..., Any]:
    """Function that stands for an operator which only mmcv's compiled module has.

    Args:
        name: Name of the operator.

    Returns:
        A function that raises ``NotImplementedError`` and says how to get the operator.

    Raises:
        AttributeError: For names that no operator has, of Python itself.
    """
    if name.startswith('__'):
        raise AttributeError(name)

    def operator(*args: Any, **options: Any) -> Any:
        from mmattn.compat import COMPILED_INSTALL

        del args, options
        raise NotImplementedError(
            f"expected mmcv's compiled operators for {name!r}, got mmcv-lite with the "
            f'operators of mmattn ({", ".join(__all__[2:])}); {COMPILED_INSTALL}'
        )

    operator.__name__ = name
    return operator
