"""MMAction2's command-line tools, called with options of ours added.

The installed MMAction2 keeps its scripts in ``mmaction/.mim/tools``.  Ours parse their
own options first and hand the rest to the host's script, so every flag of the host
stays and means the same.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from mmengine.config import Config

from mmattn.compat import require_detection, score_in_float32
from mmattn.utils.paper_rows import configs_root

SPLIT_VARIABLE = 'MMATTN_SPLIT'


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


def run_host_tool(name: str, adapt: Callable[[Config, bool], None]) -> None:
    """Run the host's script on this process's arguments, with our options.

    Args:
        name: ``'train.py'`` or ``'test.py'``.
        adapt: Called with the merged config and whether bfloat16 was asked for.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
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

    def merge(cfg: Config, host_args: argparse.Namespace) -> Config:
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
        adapt(cfg, args.bf16)
        return cfg

    host.merge_args = merge
    sys.argv[1:] = rest
    host.main()


def find_config(name: str | Path) -> Path:
    """Return the path of a config: itself, or that of ours with this basename.

    ``mim train`` and ``mim test`` find our configs by name, ``mim run`` does not.

    Raises:
        ValueError: If there is no such file here nor among our configs.

    Example:
        >>> find_config('default_runtime.py').parent.name
        '_base_'
    """
    if Path(name).is_file():
        return Path(name)
    found = sorted(configs_root().rglob(Path(name).name))
    if len(found) != 1:
        raise ValueError(
            f'expected a config file or the name of one of ours, got {str(name)!r}'
        )
    return found[0]


def uses_detection(node: Any) -> bool:
    """Say whether a config asks for a component of mmdet anywhere."""
    if isinstance(node, dict):
        kind = node.get('type')
        named = isinstance(kind, str) and kind.startswith('mmdet.')
        if named or node.get('_scope_') == 'mmdet':
            return True
        return any(uses_detection(value) for value in node.values())
    return isinstance(node, (list, tuple)) and any(uses_detection(x) for x in node)


def add_split_option(parser: argparse._ActionsContainer) -> None:
    """Add ``--split`` to a tool that reads configs."""
    parser.add_argument(
        '--split',
        type=int,
        choices=(1, 2, 3),
        help='official split of UCF101 or HMDB51; same as the environment variable '
        f'{SPLIT_VARIABLE}. The default work dir then ends in _splitN',
    )


def set_split(split: int | None) -> None:
    """Let configs that are read from now on name the lists of this split."""
    if split:
        os.environ[SPLIT_VARIABLE] = str(split)


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
