"""Loading published weights into a backbone."""

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from mmattn.utils.arrays import BROKEN
from mmattn.utils.finite import state_fault
from mmattn.utils.text import shortened

KeyMap = Callable[[str, Tensor], tuple[str, Tensor] | None]


def load_pretrained(
    module: nn.Module,
    checkpoint: str,
    *,
    first_conv: str | None = None,
    key_map: KeyMap | None = None,
    prefixes: Sequence[str] = ('module.', 'backbone.'),
    allow_missing: Sequence[str] = (),
) -> None:
    """Fill ``module`` with the weights of a file, all of them.

    Weights of the file that ``module`` does not have (a classifier) are left out.

    Args:
        module: Network to fill, in place.
        checkpoint: Path or address, in any scheme of MMEngine. Only tensors and plain
            data are unpickled from a path or an http address.
        first_conv: Name of the first convolution's weight in ``module``. If the file
            holds it for RGB and ``module`` takes another number of channels, the mean
            over RGB is repeated (:func:`cross_modality_weight`).
        key_map: Turns a name and tensor of the file, prefixes removed, into those of
            ``module``; None leaves the tensor out.
        prefixes: Removed from the names, in this order. Where some names start with a
            prefix, names that do not are left out.
        allow_missing: First parts of names that the file need not hold, for modules
            that were added to a published network.

    Raises:
        ValueError: If the file holds no weights, lacks some, has other shapes, or holds
            numbers that are not finite or not of a floating type.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + '/linear.pth'
        >>> torch.save({'state_dict': nn.Linear(3, 2).state_dict()}, path)
        >>> load_pretrained(nn.Linear(3, 2), path)
    """
    weights = read_weights(checkpoint, prefixes=prefixes)
    if key_map is not None:
        mapped = (key_map(name, tensor) for name, tensor in weights.items())
        weights = dict(pair for pair in mapped if pair is not None)
    expected = module.state_dict()
    _require_names(expected, weights, checkpoint, allow_missing)
    weights = {name: weights[name] for name in expected if name in weights}
    if first_conv is not None:
        kernels, in_channels = weights[first_conv], expected[first_conv].shape[1]
        if kernels.shape[1] == 3 and in_channels != 3:
            weights[first_conv] = cross_modality_weight(kernels, in_channels)
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(
                f'checkpoint {checkpoint}: expected {name} of shape '
                f'{tuple(expected[name].shape)}, got {tuple(tensor.shape)}'
            )
    fault = state_fault(module, weights)
    if fault:
        raise ValueError(
            f'checkpoint {checkpoint}: expected trained weights, got {fault}'
        )
    module.load_state_dict(weights, strict=False)


def read_weights(
    checkpoint: str, *, prefixes: Sequence[str] = ('module.', 'backbone.')
) -> dict[str, Tensor]:
    """Read the named tensors of a file, on the CPU and without their prefixes.

    Args:
        checkpoint: Path or address, see :func:`load_pretrained`.
        prefixes: See :func:`load_pretrained`.

    Raises:
        ValueError: If the file is damaged, or holds no dictionary of tensors.
    """
    if checkpoint.startswith(('http://', 'https://')):
        # MMEngine's loader of addresses would unpickle any object.
        content = torch.hub.load_state_dict_from_url(
            checkpoint, map_location='cpu', weights_only=True
        )
    elif not Path(checkpoint).is_file():  # an address, or a name that MMEngine knows
        content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    else:
        try:
            content = torch.load(checkpoint, map_location='cpu', weights_only=True)
        except (*BROKEN, pickle.UnpicklingError) as error:
            cause = ' '.join(str(error).split()) or 'a part of one'
            raise ValueError(
                f'checkpoint {checkpoint}: expected a whole file of torch.save with '
                f'tensors and plain data, got: {shortened(cause, 160)}'
            ) from error
    if isinstance(content, dict) and 'state_dict' in content:
        content = content['state_dict']
    if not isinstance(content, dict):
        content = {}
    weights = {name: x for name, x in content.items() if isinstance(x, Tensor)}
    if not weights:
        raise ValueError(
            f'checkpoint {checkpoint}: expected a dictionary of tensors, or one under '
            "'state_dict', got none"
        )
    for prefix in prefixes:
        inside = {
            name.removeprefix(prefix): tensor
            for name, tensor in weights.items()
            if name.startswith(prefix)
        }
        weights = inside or weights
    return weights


def cross_modality_weight(weight: Tensor, in_channels: int) -> Tensor:
    """Mean of a first convolution over its RGB channels, repeated.

    The initialization of temporal ConvNets from ImageNet (Wang et al., Towards good
    practices for very deep two-stream ConvNets, section 3): a stack of L flow fields
    has 2L input channels, and each gets the mean of the three RGB kernels.

    Args:
        weight: Kernels of a 2D or 3D convolution trained on RGB.
        in_channels: Input channels wanted, at least 1.

    Shape:
        - Input: (C_out, 3, ...).
        - Output: (C_out, in_channels, ...).

    Raises:
        ValueError: If ``weight`` does not have three input channels.

    Example:
        >>> cross_modality_weight(torch.ones(64, 3, 3, 3), 10).shape
        torch.Size([64, 10, 3, 3])
    """
    if weight.dim() < 3 or weight.shape[1] != 3:
        raise ValueError(
            'first convolution: expected RGB kernels of shape (C_out, 3, ...), got '
            f'{tuple(weight.shape)}'
        )
    mean = weight.mean(dim=1, keepdim=True)
    return mean.repeat_interleave(in_channels, dim=1)


def _require_names(
    expected: dict[str, Tensor],
    weights: dict[str, Tensor],
    checkpoint: str,
    allow_missing: Sequence[str],
) -> None:
    missing = [
        name
        for name in expected
        if name not in weights
        and not name.endswith('num_batches_tracked')
        and not name.startswith(tuple(allow_missing))
    ]
    if missing:
        raise ValueError(
            f'checkpoint {checkpoint}: expected all {len(expected)} weights, got none '
            f'for {len(missing)} of them, first {missing[:3]}; the file has '
            f'{list(weights)[:3]}, ...'
        )
