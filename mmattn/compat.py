"""Every repair of the installed stack, in one place.

Each function repairs one fault of a released package, does nothing where the
fault is absent, and may run any number of times.  :func:`repair_stack` runs
them all when :mod:`mmattn` is imported.
"""

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

MMCV_RANGE = '>=2.0.0rc4,<2.2.0'
LIGHT_INSTALL = 'pip install mmcv-lite==2.1.0'
FULL_INSTALL = (
    'MMCV_WITH_OPS=1 pip install --no-build-isolation mmcv==2.1.0 (after torch, '
    'setuptools<81, ninja and psutil), then pip install mmdet==3.3.0'
)


def repair_stack() -> None:
    """Run every repair."""
    require_mmcv()
    provide_missing_drn()
    allow_mmengine_checkpoints()
    load_addresses_safely()
    drop_code_from_checkpoints()
    keep_functions_out_of_schedulers()
    distribute_without_cuda()
    find_configs_by_package()


def require_mmcv() -> None:
    """Say which package is missing when neither mmcv nor mmcv-lite is there.

    Raises:
        ImportError: With the command that installs it.
    """
    if importlib.util.find_spec('mmcv') is None:
        raise ImportError(
            f'mmattn needs mmcv{MMCV_RANGE} or mmcv-lite of the same version. '
            f'For recognition: {LIGHT_INSTALL}. For detection: {FULL_INSTALL}.'
        )


def require_detection() -> None:
    """Check that detection can run; detection components call this first.

    Raises:
        ImportError: In one line, with the commands that install what is missing.
    """
    missing = [
        name
        for name in ('mmdet', 'mmcv._ext')
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        names = {'mmdet': 'mmdet', 'mmcv._ext': "mmcv's compiled operators"}
        found = ' and '.join(names[name] for name in missing)
        raise ImportError(
            f'Action detection needs {found}; install with: pip uninstall -y '
            f'mmcv-lite; {FULL_INSTALL}.'
        )


def refuse_detection(**options: Any) -> None:
    """Stand in for a detection component that cannot be imported: say why.

    Args:
        **options: Arguments of the component.

    Raises:
        ImportError: See :func:`require_detection`.
    """
    del options
    require_detection()


def provide_missing_drn() -> None:
    """Provide the DRN modules that the MMAction2 1.2.0 wheel forgot.

    ``mmaction.models.localizers`` imports ``.drn.drn.DRN``, which the published
    wheel does not contain, so ``import mmaction.models`` fails
    (open-mmlab/mmaction2#2714).  A stand-in that says so on use is put in
    ``sys.modules``, only if the files are really missing.
    """
    spec = importlib.util.find_spec('mmaction')
    if spec is None or not spec.submodule_search_locations:
        return
    localizers = Path(spec.submodule_search_locations[0]) / 'models' / 'localizers'
    package = 'mmaction.models.localizers.drn'
    if (localizers / 'drn').exists() or package in sys.modules:
        return
    if not localizers.exists():
        return

    class DRN(torch.nn.Module):
        """Stand-in for the localizer that the installed wheel lacks."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            raise ImportError(
                'DRN is missing from the published mmaction2 1.2.0 wheel '
                '(open-mmlab/mmaction2#2714); install MMAction2 from source to use it.'
            )

    parent, module = ModuleType(package), ModuleType(f'{package}.drn')
    parent.__path__ = []
    parent.drn = module  # type: ignore[attr-defined]
    module.DRN = DRN  # type: ignore[attr-defined]
    sys.modules[package], sys.modules[f'{package}.drn'] = parent, module


def _history_getattr(owner: Any, name: str) -> Any:
    """Serve the only attributes that a pickled ``HistoryBuffer`` asks for."""
    from mmengine.logging import HistoryBuffer

    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(HistoryBuffer, name)
    raise TypeError(
        'expected an attribute of HistoryBuffer (min, max, mean, current) in the '
        f'checkpoint, got {name!r} of {owner!r}: the file is refused'
    )


def allow_mmengine_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read MMEngine's own checkpoints.

    Since torch 2.6 that is the default, and MMEngine stores its log buffers beside
    the weights (open-mmlab/mmengine#1655).  Only these plain data types are allowed;
    anything else in a checkpoint is still refused.
    """
    import numpy as np
    from mmengine.logging import HistoryBuffer

    core: Any = getattr(np, '_core', None) or np.core
    multiarray = core.multiarray
    rebuild = [(multiarray._reconstruct, '_reconstruct'), (multiarray.scalar, 'scalar')]
    allowed: list[Any] = [HistoryBuffer, np.ndarray, np.dtype]
    for function, name in rebuild:
        for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
            allowed.append((function, f'{module}.{name}'))
    for dtype in ('Float64', 'Float32', 'Int64', 'Int32', 'Bool'):
        allowed.append(getattr(np.dtypes, f'{dtype}DType'))
    allowed.append((_history_getattr, 'builtins.getattr'))
    torch.serialization.add_safe_globals(allowed)


def load_addresses_safely() -> None:
    """Let MMEngine unpickle only tensors and plain data from web addresses.

    It downloads through ``torch.hub.load_state_dict_from_url``, whose default still is
    ``weights_only=False``.
    """
    from mmengine.runner import checkpoint

    if isinstance(checkpoint.load_url, functools.partial):
        return
    checkpoint.load_url = functools.partial(checkpoint.load_url, weights_only=True)


def drop_code_from_checkpoints() -> None:
    """Keep MMEngine from executing the config text stored in a checkpoint.

    ``Runner.resume`` runs the checkpoint's config as Python code only to read its
    ``gpu_ids``, a key of a generation ago.  The text is put aside while it resumes.
    """
    from mmengine.runner import Runner

    original = Runner.load_checkpoint
    if hasattr(original, '_mmattn_drops_code'):
        return

    @functools.wraps(original)
    def load_checkpoint(self: Any, *args: Any, **kwargs: Any) -> Any:
        checkpoint = original(self, *args, **kwargs)
        if isinstance(checkpoint, dict) and isinstance(checkpoint.get('meta'), dict):
            checkpoint['meta'].pop('config', None)
        return checkpoint

    load_checkpoint._mmattn_drops_code = True  # type: ignore[attr-defined]
    Runner.load_checkpoint = load_checkpoint


def keep_functions_out_of_schedulers() -> None:
    """Keep MMEngine's schedulers from storing functions in checkpoints.

    ``OneCycleLR`` stores a method of its own, which makes the whole file unreadable
    with ``weights_only=True``.  A scheduler has its functions from its arguments.
    """
    from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

    original = _ParamScheduler.state_dict
    if hasattr(original, '_mmattn_plain'):
        return

    @functools.wraps(original)
    def state_dict(self: Any) -> dict:
        state = original(self)
        return {key: value for key, value in state.items() if not callable(value)}

    state_dict._mmattn_plain = True  # type: ignore[attr-defined]
    _ParamScheduler.state_dict = state_dict


def distribute_without_cuda() -> None:
    """Let MMEngine's launchers train on machines without CUDA, through gloo.

    MMEngine calls ``torch.cuda.set_device``, asks for NCCL and hands GPU numbers to
    ``DistributedDataParallel`` and ``FullyShardedDataParallel`` whatever the machine
    has.
    """
    if torch.cuda.is_available():
        return
    import mmengine.dist.utils as dist_utils
    import torch.distributed as torch_dist
    from mmengine.model import MMDistributedDataParallel
    from mmengine.model.wrappers import MMFullyShardedDataParallel

    if hasattr(dist_utils._init_dist_pytorch, '_mmattn_cpu'):
        return

    def init_dist_pytorch(
        backend: str, init_backend: str = 'torch', **kwargs: Any
    ) -> None:
        del backend, init_backend  # only gloo runs on a CPU
        torch_dist.init_process_group(backend='gloo', **kwargs)

    init_dist_pytorch._mmattn_cpu = True  # type: ignore[attr-defined]
    dist_utils._init_dist_pytorch = init_dist_pytorch

    def on_cpu(wrapper: Any, option: str, device: str | None) -> None:
        original = wrapper.__init__

        @functools.wraps(original)
        def init(self: Any, module: Any, *args: Any, **kwargs: Any) -> None:
            if all(p.device.type == 'cpu' for p in module.parameters()):
                kwargs[option] = device
            original(self, module, *args, **kwargs)

        wrapper.__init__ = init

    on_cpu(MMDistributedDataParallel, 'device_ids', None)
    on_cpu(MMFullyShardedDataParallel, 'device_id', 'cpu')


def score_in_float32() -> None:
    """Let MMAction2's heads compute accuracies of bfloat16 scores.

    They hand the scores to NumPy, which has no bfloat16.  Called where bfloat16 is
    switched on, because it imports ``mmaction.models``.
    """
    from mmaction.models.heads import BaseHead

    if hasattr(BaseHead.loss_by_feat, '_mmattn_float32'):
        return

    def in_float32(original: Any) -> Any:
        @functools.wraps(original)
        def method(self: Any, cls_scores: Any, *args: Any, **kwargs: Any) -> Any:
            if getattr(cls_scores, 'dtype', None) == torch.bfloat16:
                cls_scores = cls_scores.float()
            return original(self, cls_scores, *args, **kwargs)

        method._mmattn_float32 = True  # type: ignore[attr-defined]
        return method

    BaseHead.loss_by_feat = in_float32(BaseHead.loss_by_feat)
    BaseHead.predict_by_feat = in_float32(BaseHead.predict_by_feat)


def find_configs_by_package() -> None:
    """Make ``_base_ = 'mmattn::...'`` work in users' configs."""
    from mmengine.config import utils

    utils.MODULE2PACKAGE.setdefault('mmattn', 'mmattn')
