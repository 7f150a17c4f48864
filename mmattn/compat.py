"""Every repair of the installed stack, in one place.

Each function repairs one fault of a released package, does nothing where the
fault is absent, and may run any number of times.  :func:`repair_stack` runs
them all when :mod:`mmattn` is imported.
"""

import ast
import contextlib
import functools
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import torch

from mmattn.compat_host import repair_on_import, replaces
from mmattn.utils.files import replaced_atomically
from mmattn.utils.safe_pickle import ARRAYS

MMCV_RANGE = '>=2.0.0rc4,<2.2.0'
MMCV_INSTALL = 'pip install mmcv-lite==2.1.0'
MMDET_INSTALL = 'pip install mmdet==3.3.0'
COMPILED_INSTALL = (
    'to compile them: pip uninstall -y mmcv-lite; pip install "setuptools<81" wheel '
    'ninja psutil; MMCV_WITH_OPS=1 pip install --no-build-isolation mmcv==2.1.0'
)


def repair_stack() -> None:
    """Run every repair."""
    require_mmcv()
    provide_operators()
    provide_missing_drn()
    allow_mmengine_checkpoints()
    keep_objects_out_of_checkpoints()
    load_addresses_safely()
    drop_code_from_checkpoints()
    keep_functions_out_of_schedulers()
    write_files_whole()
    remove_checkpoints_last()
    distribute_without_cuda()
    find_configs_by_package()
    lay_out_configs_once()
    compile_around_samples()
    refuse_scores_of_nan()
    repair_on_import()


def require_mmcv() -> None:
    """Say which package is missing when neither mmcv nor mmcv-lite is there.

    Raises:
        ImportError: With the command that installs it.
    """
    if importlib.util.find_spec('mmcv') is None:
        raise ImportError(
            f'mmattn needs mmcv{MMCV_RANGE} or mmcv-lite of the same version: '
            f'{MMCV_INSTALL}'
        )


class _OperatorFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``mmcv._ext`` where nobody else does."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: Any = None
    ) -> ModuleSpec | None:
        """Answer for this one module."""
        del path, target
        return ModuleSpec(name, self) if name == 'mmcv._ext' else None

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module with our operators; any other name refuses on use."""
        from mmattn import operators

        for name in operators.__all__:
            setattr(module, name, getattr(operators, name))
        module.__getattr__ = operators.refuse  # type: ignore[method-assign]


def provide_operators() -> None:
    """Provide the module ``mmcv._ext``, which mmcv-lite lacks, for detection.

    Importing ``mmcv.ops``, and with it mmdet, fails without it.  The finder of ours
    comes last, so a compiled module is always found first.
    """
    if not any(isinstance(finder, _OperatorFinder) for finder in sys.meta_path):
        sys.meta_path.append(_OperatorFinder())


def has_compiled_operators() -> bool:
    """Whether ``mmcv._ext`` is the compiled module, not ours."""
    spec = importlib.util.find_spec('mmcv._ext')
    return spec is not None and not isinstance(spec.loader, _OperatorFinder)


def require_detection() -> None:
    """Check that detection can run; detection components call this first.

    Raises:
        ImportError: In one line, with the command that installs what is missing.
    """
    if importlib.util.find_spec('mmdet') is None:
        raise ImportError(f'Action detection needs mmdet: {MMDET_INSTALL}')


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


def _history_getattr(owner: Any, name: Any) -> str:
    """Stand in for the only attributes that a pickled ``HistoryBuffer`` asks for."""
    from mmengine.logging import HistoryBuffer

    asked = isinstance(owner, type) and issubclass(owner, HistoryBuffer)
    if not asked or name not in ('min', 'max', 'mean', 'current'):
        raise TypeError(
            'expected an attribute of HistoryBuffer (min, max, mean, current) in the '
            f'checkpoint, got {name!r} of {owner!r}: the file is refused'
        )
    return name


@functools.cache
def _stored_history() -> type:
    """Return the class that stands in for ``HistoryBuffer`` in a checkpoint."""
    import numpy as np
    from mmengine.logging import HistoryBuffer

    class StoredHistory(HistoryBuffer):
        """Takes over the two rows of numbers, and none of the functions."""

        def __new__(cls) -> Any:
            return super().__new__(cls)

        def __setstate__(self, state: Any) -> None:
            keys = ('_log_history', '_count_history', 'max_length')
            if not isinstance(state, dict) or not all(key in state for key in keys):
                raise TypeError(
                    f'expected {keys} of a HistoryBuffer in the checkpoint, got a '
                    f'{type(state).__name__}: the file is refused'
                )
            logs, counts, length = (state[key] for key in keys)
            rows = (logs, counts)
            if (
                not all(isinstance(row, np.ndarray) and row.ndim == 1 for row in rows)
                or len(logs) != len(counts)
                or type(length) is not int
                or length < len(logs)
            ):
                raise TypeError(
                    'expected two rows of numbers in a HistoryBuffer of the '
                    'checkpoint, got something else: the file is refused'
                )
            HistoryBuffer.__init__(self, logs, counts, length)
            self.__class__ = HistoryBuffer  # type: ignore[assignment]  # cannot be set again

    return StoredHistory


def allow_mmengine_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read checkpoints that MMEngine wrote.

    Since torch 2.6 that is the default, and MMEngine stores its log buffers beside
    the weights (open-mmlab/mmengine#1655).  What such a file names gets stand-ins that
    check all that they are given, see :mod:`mmattn.utils.safe_pickle`; anything else
    is still refused.  Our own checkpoints need none of it, see
    :func:`keep_objects_out_of_checkpoints`.
    """
    history = 'mmengine.logging.history_buffer.HistoryBuffer'
    stand_ins: dict[str, Any] = {
        **ARRAYS,
        'builtins.getattr': _history_getattr,
        history: _stored_history(),
    }
    torch.serialization.add_safe_globals(
        [(function, name) for name, function in stand_ins.items()]
    )


def keep_objects_out_of_checkpoints() -> None:
    """Let MMEngine write its log buffers as lists and NumPy's numbers as Python's.

    A checkpoint then holds tensors and plain data alone, which every
    ``torch.load(weights_only=True)`` reads.  Resuming makes buffers of the lists; those
    of older files are taken as they are.
    """
    import numpy as np
    from mmengine.logging import HistoryBuffer, MessageHub

    @replaces(MessageHub, 'state_dict')
    def state_dict(original: Any, self: Any) -> dict:
        state = original(self)
        for key, buffer in state['log_scalars'].items():
            logs, counts = buffer.data
            state['log_scalars'][key] = dict(
                log_history=logs.tolist(),
                count_history=counts.tolist(),
                max_length=buffer.max_length,
            )
        for key, value in state['runtime_info'].items():
            if isinstance(value, np.generic):
                state['runtime_info'][key] = value.item()
        return state

    @replaces(MessageHub, 'load_state_dict')
    def load_state_dict(original: Any, self: Any, state: Any) -> None:
        if isinstance(state, dict) and isinstance(state.get('log_scalars'), dict):
            scalars = {
                key: HistoryBuffer(**value) if isinstance(value, dict) else value
                for key, value in state['log_scalars'].items()
            }
            state = dict(state, log_scalars=scalars)
        original(self, state)


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

    @replaces(Runner, 'load_checkpoint')
    def load_checkpoint(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        checkpoint = original(self, *args, **kwargs)
        if isinstance(checkpoint, dict) and isinstance(checkpoint.get('meta'), dict):
            checkpoint['meta'].pop('config', None)
        return checkpoint


def keep_functions_out_of_schedulers() -> None:
    """Keep MMEngine's schedulers from storing functions in checkpoints.

    ``OneCycleLR`` stores a method of its own, which makes the whole file unreadable
    with ``weights_only=True``.  A scheduler has its functions from its arguments.
    """
    from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

    @replaces(_ParamScheduler, 'state_dict')
    def state_dict(original: Any, self: Any) -> dict:
        state = original(self)
        return {key: value for key, value in state.items() if not callable(value)}


def write_files_whole() -> None:
    """Let MMEngine write local files whole or not at all, checkpoints above all.

    It writes over the old file, so that a run which is killed meanwhile leaves half a
    checkpoint, or a ``last_checkpoint`` that names nothing.
    """
    from mmengine.fileio import LocalBackend
    from mmengine.hooks import checkpoint_hook

    @replaces(LocalBackend, 'put')
    def put(original: Any, self: Any, obj: bytes, filepath: str | Path) -> None:
        path = Path(filepath).resolve()  # what a link points to is replaced
        if path.exists() and not path.is_file():
            return original(self, obj, filepath)  # a device or a pipe
        try:
            with replaced_atomically(path) as part, open(part, 'wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())  # before the name says that it is whole
        except OSError as error:  # which names no file where the disk is full
            raise OSError(error.errno, error.strerror, str(filepath)) from error

    @contextlib.contextmanager
    def open_whole(path: str, mode: str) -> Iterator[IO]:
        with replaced_atomically(Path(path)) as part, open(part, mode) as file:
            yield file

    checkpoint_hook.open = open_whole  # what it writes `last_checkpoint` with


class _RemovesLater:
    """File backend that notes what to remove instead of doing it."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.removals: list[tuple[Callable[[str], None], str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        self.removals.append((self.backend.remove, path))

    def rmtree(self, path: str) -> None:
        self.removals.append((self.backend.rmtree, path))

    def finish(self) -> None:
        while self.removals:
            remove, path = self.removals.pop(0)
            remove(path)


def remove_checkpoints_last() -> None:
    """Let MMEngine remove old checkpoints after the new ones are written.

    It removes the best, and with ``max_keep_ckpts`` the oldest, before it writes what
    takes their places; a run killed in between has lost them.
    """
    from mmengine.hooks import CheckpointHook

    def removing_last(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        backend = self.file_backend
        if isinstance(backend, _RemovesLater):
            # All best ones are written; what comes now forgets the old ones.
            backend.finish()
            return original(self, *args, **kwargs)
        later = self.file_backend = _RemovesLater(backend)
        try:
            original(self, *args, **kwargs)
        finally:
            self.file_backend = backend
        later.finish()

    for name in ('_save_checkpoint_with_step', '_save_best_checkpoint'):
        replaces(CheckpointHook, name)(removing_last)


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

    @replaces(dist_utils, '_init_dist_pytorch')
    def init_dist_pytorch(
        original: Any, backend: str, init_backend: str = 'torch', **kwargs: Any
    ) -> None:
        del original, backend, init_backend  # only gloo runs on a CPU
        torch_dist.init_process_group(backend='gloo', **kwargs)

    def on_cpu(wrapper: Any, option: str, device: str | None) -> None:
        @replaces(wrapper, '__init__')
        def init(original: Any, self: Any, module: Any, *args: Any, **kw: Any) -> None:
            if all(p.device.type == 'cpu' for p in module.parameters()):
                kw[option] = device
            original(self, module, *args, **kw)

    on_cpu(MMDistributedDataParallel, 'device_ids', None)
    on_cpu(MMFullyShardedDataParallel, 'device_id', 'cpu')


def refuse_scores_of_nan() -> None:
    """Stop a test whose scores are not finite, before any metric sees them.

    MMAction2's ``AccMetric`` ranks NaN above all numbers and reports an accuracy.
    """
    from mmengine.evaluator import Evaluator

    @replaces(Evaluator, 'process')
    def process(
        original: Any, self: Any, data_samples: Any, data_batch: Any = None
    ) -> None:
        for sample in data_samples:
            _check_scores(sample)
        original(self, data_samples, data_batch)


def _check_scores(sample: Any) -> None:
    for key, value in sample.items() if hasattr(sample, 'items') else ():
        if 'score' not in key:
            continue
        parts = value.values() if isinstance(value, dict) else (value,)
        for part in parts:
            if isinstance(part, torch.Tensor) and not part.isfinite().all():
                name = sample.get('video_id') or sample.get('filename') or 'a video'
                raise ValueError(
                    f'{name}: expected finite scores, got nan or inf in {key}: see '
                    'whether the weights and the input are finite'
                )


def score_in_float32() -> None:
    """Let MMAction2's heads compute accuracies of bfloat16 scores.

    They hand the scores to NumPy, which has no bfloat16.  Called where bfloat16 is
    switched on, because it imports ``mmaction.models``.
    """
    from mmaction.models.heads import BaseHead

    def in_float32(original: Any, self: Any, scores: Any, *args: Any, **kw: Any) -> Any:
        if getattr(scores, 'dtype', None) == torch.bfloat16:
            scores = scores.float()
        return original(self, scores, *args, **kw)

    replaces(BaseHead, 'loss_by_feat')(in_float32)
    replaces(BaseHead, 'predict_by_feat')(in_float32)


def lay_out_configs_once() -> None:
    """Keep the laid out text of the last configs.

    MMEngine lays out a run's config six times and more, also for each checkpoint, and
    each time takes as long as some training steps.
    """
    from mmengine.config import config

    @functools.lru_cache(maxsize=4)
    def laid_out(original: Any, text: str, options: str) -> tuple[str, bool]:
        return original(text, **ast.literal_eval(options))

    @replaces(config, 'FormatCode')
    def format_code(original: Any, text: str, **options: Any) -> tuple[str, bool]:
        return laid_out(original, text, repr(options))


def compile_around_samples() -> None:
    """Let ``compile=True`` in a config compile models that take data samples.

    MMEngine compiles ``train_step``, in which MMAction2's preprocessors set the
    metainfo of samples; PyTorch cannot trace how MMEngine copies it.
    """
    from mmengine.runner import Runner
    from mmengine.structures import BaseDataElement

    set_metainfo = BaseDataElement.set_metainfo

    @replaces(Runner, '_maybe_compile')
    def _maybe_compile(original: Any, self: Any, target: str) -> None:
        if self.cfg.get('compile'):
            BaseDataElement.set_metainfo = torch.compiler.disable(set_metainfo)
        original(self, target)


def find_configs_by_package() -> None:
    """Make ``_base_ = 'mmattn::...'`` work in users' configs."""
    from mmengine.config import utils

    utils.MODULE2PACKAGE.setdefault('mmattn', 'mmattn')
