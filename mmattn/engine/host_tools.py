"""MMAction2's command-line tools, called with options of ours added.

The installed MMAction2 keeps its scripts in ``mmaction/.mim/tools``.  Ours parse their
own options first and hand the rest to the host's script, so every flag of the host
stays and means the same.
"""

import argparse
import contextlib
import importlib.util
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmattn.compat import require_detection, score_in_float32
from mmattn.compat_host import replaces
from mmattn.engine.hooks.divergence_hook import DivergedError
from mmattn.models.weights.checkpoints import last_saved
from mmattn.registry import check_arguments
from mmattn.utils.command_line import tool_parser
from mmattn.utils.configs import (
    SPLIT_VARIABLE,
    add_split_option,
    set_split,
    uses_detection,
)

LOG_FILE_ONLY = (
    'System environment:',
    'Hooks will be executed in the following order',
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'all SyncBatchNorm (SyncBN) layers in the model will be automatically reverted',
)
GUARDS = tuple(
    f'mmattn.{name}Hook' for name in ('CheckpointGuard', 'ClassCount', 'Divergence')
)


def load_host_tool(name: str) -> ModuleType:
    """Load one of MMAction2's scripts as a module.

    Args:
        name: File in MMAction2's ``tools`` folder, such as ``'train.py'``.

    Returns:
        The module, not yet run.

    Raises:
        FileNotFoundError: If the installed MMAction2 has no such script.
    """
    spec = importlib.util.find_spec('mmaction')
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError('expected an installed mmaction2, got none')
    path = Path(spec.submodule_search_locations[0]) / '.mim' / 'tools' / name
    if not path.exists():
        raise FileNotFoundError(f"expected MMAction2's script at {path}, got no file")
    script = importlib.util.spec_from_file_location(f'mmaction_{path.stem}', path)
    if script is None or script.loader is None:
        raise FileNotFoundError(f'expected a Python script at {path}')
    module = importlib.util.module_from_spec(script)
    script.loader.exec_module(module)
    return module


def run_host_tool(
    name: str, adapt: Callable[[Config, bool], None], doc: str | None = None
) -> None:
    """Run the host's script on this process's arguments, with our options.

    Args:
        name: ``'train.py'`` or ``'test.py'``.
        adapt: Called with the merged config and whether bfloat16 was asked for.
        doc: Docstring of the tool, for its help.
    """
    parser = tool_parser(doc, add_help=False, allow_abbrev=False)
    options = parser.add_argument_group('options of mmattn')
    options.add_argument(
        '--bf16', action='store_true', help='run in bfloat16, on CPUs too'
    )
    add_split_option(options)
    if {'-h', '--help'} & set(sys.argv[1:]):
        print(parser.format_help().replace('usage: ', 'usage of the added part: '))
    args, rest = parser.parse_known_args()
    set_split(args.split)

    host: Any = load_host_tool(name)
    merge_args = host.merge_args

    work_dir = ''

    def merge(cfg: Config, host_args: argparse.Namespace) -> Config:
        nonlocal work_dir
        if args.split and SPLIT_VARIABLE not in cfg.text:
            raise ValueError(
                f'--split: expected a config whose lists name {SPLIT_VARIABLE}, got '
                f'{host_args.config}, which is the same for every split'
            )
        if args.split and host_args.work_dir is None and not cfg.get('work_dir'):
            stem = f'{Path(host_args.config).stem}_split{args.split}'
            cfg.work_dir = str(Path('work_dirs') / stem)
        cfg = merge_args(cfg, host_args)
        if uses_detection(cfg.get('model', {})):
            require_detection()
        add_guards(cfg)
        check_arguments(cfg)
        adapt(cfg, args.bf16)
        work_dir = cfg.get('work_dir') or ''
        return cfg

    host.merge_args = merge
    sys.argv[1:] = rest
    shorten_console()
    with stops_in_one_sentence(lambda: work_dir):
        host.main()


def shorten_console() -> None:
    """Keep from the console what MMEngine's log file holds anyway.

    Before the first loss the console shows the config and few lines more.
    """

    @replaces(Runner, 'build_logger')
    def build_logger(original: Any, self: Any, *args: Any, **options: Any) -> Any:
        logger = original(self, *args, **options)
        calm_console(logger)
        return logger


def calm_console(
    logger: logging.Logger,
    *,
    texts: tuple[str, ...] = LOG_FILE_ONLY,
    level: int = logging.NOTSET,
) -> None:
    """Let the console, not the log file, leave out records.

    Args:
        logger: What MMEngine built.
        texts: Parts of the messages to leave out.
        level: Least level that the console shows; by default it stays as it is.
    """

    def belongs(record: logging.LogRecord) -> bool:
        text = record.getMessage()[:500]
        return not any(part in text for part in texts)

    for handler in logger.handlers:
        if type(handler) is logging.StreamHandler:  # not to a file
            handler.setLevel(level or handler.level)
            handler.addFilter(belongs)


@contextlib.contextmanager
def stops_in_one_sentence(work_dir: Callable[[], str]) -> Iterator[None]:
    """End the process with one sentence where a run is stopped from outside.

    That is by Ctrl-C, by SIGTERM, by a file that cannot be written or read (a full
    disk, a folder that is gone), or by numbers that are no longer finite.

    Args:
        work_dir: Gives the work folder of the run once it is known, empty before.

    Raises:
        SystemExit: Instead of what stopped it.

    Example:
        >>> with stops_in_one_sentence(lambda: ''):
        ...     raise FileNotFoundError(2, 'No such file', 'videos.txt')
        Traceback (most recent call last):
        ...
        SystemExit: stopped: [Errno 2] No such file: 'videos.txt'
    """
    owner = os.getpid()

    def terminate(number: int, frame: Any) -> None:
        if os.getpid() == owner:
            raise KeyboardInterrupt('SIGTERM')
        os._exit(128 + number)  # a process that loads data

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except KeyboardInterrupt as error:
        print(_sentence(str(error) or 'Ctrl-C', work_dir()), file=sys.stderr)
        number = signal.SIGTERM if str(error) else signal.SIGINT
        raise SystemExit(128 + number) from None
    except OSError as error:
        raise SystemExit(_sentence(str(error), work_dir())) from None
    except DivergedError as error:
        raise SystemExit(f'stopped: {error}') from None
    finally:
        signal.signal(signal.SIGTERM, previous)


def _sentence(reason: str, work_dir: str) -> str:
    saved = last_saved(work_dir) if work_dir else 'none'
    if saved == 'none':
        return f'stopped: {reason}'
    return f'stopped: {reason}; go on with --resume from {saved}'


def add_guards(cfg: Config) -> None:
    """Add the hooks that refuse what would give wrong figures, where a config has none.

    Example:
        >>> cfg = Config()
        >>> add_guards(cfg)
        >>> [hook.type for hook in cfg.custom_hooks]
        ['mmattn.CheckpointGuardHook', 'mmattn.ClassCountHook', 'mmattn.DivergenceHook']
    """
    hooks = list(cfg.get('custom_hooks') or [])
    there = {hook['type'] for hook in hooks if isinstance(hook, dict)}
    hooks += [dict(type=kind) for kind in GUARDS if kind not in there]
    cfg.custom_hooks = hooks


def train_in_bf16(cfg: Config, bf16: bool) -> None:
    """Switch a training config to bfloat16; ``--amp`` means it where no GPU is.

    Raises:
        ValueError: If the config has an optimizer wrapper of another kind.
    """
    wrapper = cfg.optim_wrapper
    kind = wrapper.get('type', 'OptimWrapper')
    if kind == 'AmpOptimWrapper' and not torch.cuda.is_available():
        bf16 = True
    if not bf16:
        return
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'mmattn.Bf16OptimWrapper'):
        raise ValueError(
            f'optim_wrapper.type: expected OptimWrapper for --bf16, got {kind}'
        )
    wrapper.type = 'mmattn.Bf16OptimWrapper'
    wrapper.pop('loss_scale', None)
    wrapper.pop('dtype', None)
    torch.set_autocast_dtype('cuda', torch.bfloat16)
    if cfg.get('val_cfg'):
        cfg.val_cfg.fp16 = True


def test_in_bf16(cfg: Config, bf16: bool) -> None:
    """Switch a test config to bfloat16 autocast."""
    if bf16:
        score_in_float32()
        torch.set_autocast_dtype('cuda', torch.bfloat16)
        cfg.test_cfg.fp16 = True
