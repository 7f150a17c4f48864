"""What must hold in every environment that the README lists.

python .ci/cell.py DIR RESULT.json

Runs in an environment with a regular install of mmattn and its command ``mim``, works
in the empty folder DIR, and writes how each check went.
"""

import json
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

SYSTEMS = {
    'temporal_lstm': 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb',
    'stbta': 'stbta_in1k-pre-bninception_8xb8-1x1x3-100e_ucf101-split1-rgb',
    'pyramid': 'pyramid_in1k-pre-bninception_8xb8-1x1x3-10kiter_ucf101-split1-rgb',
    'convlstm': 'convlstm_in1k-pre-vgg16_1xb15-30x1-10e_ucf101-split1-rgb',
    'slowfast_attn': 'slowfast_attn_k400-pre-i3d-r50_8xb4-32x2x1-20e_ava21-rgb',
    'end to end': 'slowfast_attn-e2e_k400-pre-i3d-r50_8xb4-32x2x1-20e_ava21-rgb',
}
BY_NAME = 'temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-rgb.py'
PACKAGES = ('torch', 'mmcv-lite', 'mmengine', 'mmaction2', 'mmdet', 'numpy', 'av')
PACKAGES += ('opencv-contrib-python', 'mmattn')


def run(*command: object, folder: Path) -> str:
    """Run a command of the environment in a folder and return its output.

    Raises:
        RuntimeError: If it fails, with its last lines.
    """
    env = dict(os.environ)
    env['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{env["PATH"]}'
    env.pop('PYTHONPATH', None)
    result = subprocess.run(
        list(map(str, command)), cwd=folder, env=env, capture_output=True, text=True
    )
    if result.returncode:
        tail = (result.stdout + result.stderr).strip().splitlines()[-30:]
        raise RuntimeError('\n'.join([' '.join(map(str, command)), *tail]))
    return result.stdout + result.stderr


def expect(path: Path) -> None:
    """Raise ``RuntimeError`` unless a file is there and holds something."""
    if not path.is_file() or not path.stat().st_size:
        raise RuntimeError(f'expected the file {path}')


def import_all(folder: Path) -> None:
    """Import the host and every room of ours, in a process of its own."""
    names = 'mmattn, mmattn.models, mmattn.datasets, mmattn.engine, mmattn.evaluation'
    hosts = 'mmaction.models, mmaction.datasets, mmaction.apis, mmdet.models'
    code = f'import {names}, mmattn.visualization, {hosts}; print(mmattn.__file__)'
    found = run(sys.executable, '-W', 'ignore', '-c', code, folder=folder)
    paths = [word for word in found.split() if word.endswith('__init__.py')]
    if not Path(paths[-1]).resolve().is_relative_to(Path(sys.prefix).resolve()):
        raise RuntimeError(f'expected the installed mmattn, got {found}')


def train_and_test_system(key: str) -> Callable[[Path], None]:
    """Return the check that trains and tests one system, shrunk, on tiny data."""

    def check(folder: Path) -> None:
        from mmengine.config import Config
        from mmengine.registry import init_default_scope

        import mmattn
        from mmattn.testing import make_tiny_data, shrink, train_and_test

        init_default_scope('mmaction')
        data = folder / 'tiny'
        if not data.is_dir():
            make_tiny_data(data)
        configs = Path(mmattn.__file__).parent / '.mim' / 'configs'
        (path,) = configs.rglob(f'{SYSTEMS[key]}.py')
        cfg = shrink(Config.fromfile(path), data)
        cfg.dump(folder / f'{key}.py')
        cfg.log_level = 'ERROR'
        result = train_and_test(cfg, folder / 'work' / key)
        if not 0 < result.pop('loss') < 1000 or not result:
            raise RuntimeError(f'expected a loss and figures, got {result}')

    return check


def last_checkpoint(folder: Path, key: str) -> Path:
    """Return the newest checkpoint of a system."""
    return Path((folder / 'work' / key / 'last_checkpoint').read_text().strip())


def resume(folder: Path) -> None:
    """Go on with the first system for another epoch."""
    options = ('--resume', '--cfg-options', 'train_cfg.max_epochs=2')
    work = ('--work-dir', 'work/temporal_lstm')
    output = run(
        'mim', 'train', 'mmattn', 'temporal_lstm.py', *work, *options, folder=folder
    )
    expect(folder / 'work' / 'temporal_lstm' / 'epoch_2.pth')
    if 'Epoch(train) [1]' in output:
        raise RuntimeError('expected training to go on with epoch 2')


def export(folder: Path) -> None:
    """Export a recognizer and a detector, both ways."""
    for key in ('temporal_lstm', 'slowfast_attn'):
        for suffix in ('onnx', 'pt2'):
            out = f'{key}.{suffix}'
            run(
                'mim',
                'run',
                'mmattn',
                'export',
                f'{key}.py',
                last_checkpoint(folder, key),
                '--out',
                out,
                folder=folder,
            )
            expect(folder / out)


def attention_page(folder: Path) -> None:
    """Draw what the first system attends to."""
    run(
        'mim',
        'run',
        'mmattn',
        'attention',
        'temporal_lstm.py',
        last_checkpoint(folder, 'temporal_lstm'),
        'tiny/videos/clip_0.mp4',
        '--out',
        'page',
        folder=folder,
    )
    expect(folder / 'page' / 'index.html')


def train_by_name(folder: Path) -> None:
    """Train and test the README's first config from an empty folder, on fake data."""
    import numpy as np

    empty = folder / 'empty'
    features = empty / 'data/ucf101/features/vgg16_fc6_rgb/split1'
    features.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(4):
        np.save(features / f'clip_{index}.npy', rng.random((31, 4096), np.float32))
    for name in ('train', 'test'):
        lines = [f'clip_{index} {index}' for index in range(4)]
        (features / f'{name}.txt').write_text('\n'.join(lines) + '\n')
    short = ('--cfg-options', 'train_cfg.max_epochs=1')
    run('mim', 'train', 'mmattn', BY_NAME, *short, folder=empty)
    checkpoint = empty / 'work_dirs' / Path(BY_NAME).stem / 'epoch_1.pth'
    expect(checkpoint)
    output = run(
        'mim', 'test', 'mmattn', BY_NAME, '--checkpoint', checkpoint, folder=empty
    )
    if 'acc/top1' not in output:
        raise RuntimeError('expected an accuracy of the test')


CHECKS: dict[str, Callable[[Path], None]] = {
    'import': import_all,
    **{key: train_and_test_system(key) for key in SYSTEMS},
    'resume': resume,
    'export': export,
    'attention page': attention_page,
    'mim train by name': train_by_name,
}


def main() -> int:
    """Run every check and write the results."""
    folder, result = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    warnings.simplefilter('ignore')
    versions = {name: version(name) for name in PACKAGES}
    versions['python'] = platform.python_version()
    checks = {}
    for name, check in CHECKS.items():
        start = time.perf_counter()
        try:
            check(folder)
            checks[name] = 'ok'
        except Exception as error:  # whatever it is, it is the result
            checks[name] = f'{type(error).__name__}: {error}'
        seconds = time.perf_counter() - start
        print(f'{name}: {checks[name]} ({seconds:.0f} s)', flush=True)
        result.write_text(json.dumps(dict(versions=versions, checks=checks), indent=2))
    return int(any(outcome != 'ok' for outcome in checks.values()))


if __name__ == '__main__':
    sys.exit(main())
