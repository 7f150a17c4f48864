"""The built wheel holds what mim looks for."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (
    'pyproject.toml',
    'setup.py',
    'MANIFEST.in',
    'README.md',
    'LICENSE',
    'model-index.yml',
    'mmattn',
    'configs',
    'tools',
)


def files_below(folder):
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }


@pytest.mark.slow
def test_wheel_holds_tools_configs_and_model_index(tmp_path):
    copy = tmp_path / 'checkout'  # building leaves files behind
    copy.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name)
        else:
            shutil.copy(source, copy)
    (copy / 'configs' / '__pycache__').mkdir(exist_ok=True)
    (copy / 'configs' / '__pycache__' / 'old.pyc').touch()
    command = [sys.executable, '-m', 'pip', 'wheel', '--no-deps']
    command += ['--no-build-isolation', '-w', str(tmp_path), str(copy)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]

    (wheel,) = tmp_path.glob('mmattn-*.whl')
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
        index = yaml.safe_load(content.read('mmattn/.mim/model-index.yml'))
    assert not [name for name in names if '__pycache__' in name]
    wanted = files_below('tools') | files_below('configs') | {'model-index.yml'}
    assert {f'mmattn/.mim/{name}' for name in wanted} <= names
    assert files_below('mmattn') <= names
    for metafile in index['Import']:
        assert f'mmattn/.mim/{metafile}' in names
