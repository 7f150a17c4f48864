"""Action detection by command lines: own data as its page says; AVA, with bars."""

import json
import re
import shlex
from pathlib import Path

import cv2
import forked
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'own_detection_data.md'
AVA = 'slowfast_attn{}_k400-pre-i3d-r50_8xb4-32x2x1-20e_ava21-rgb'
pytestmark = [pytest.mark.det, pytest.mark.slow]


def start(folder, python, tool, *words, **env):
    assert python == 'python'
    words = [
        ROOT / word if str(word).startswith('configs/') else word for word in words
    ]
    result = forked.start([ROOT / tool, *words], folder=folder, env=env)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-3000:]
    return result.stdout


def test_commands_of_the_page(tmp_path):
    blocks = re.findall(r'^```shell\n(.*?)^```$', PAGE.read_text(), re.M | re.S)
    printed, env = {}, {}
    for line in ''.join(blocks).splitlines():
        words = shlex.split(line)
        if words[0] == 'export':
            env |= dict(word.split('=') for word in words[1:])
        else:
            name = Path(words[1]).stem
            printed[name] = start(tmp_path, *words, **env)
    assert 'bad lines: 0' in printed['check_annotations']
    (classes,) = re.findall(r'MMATTN_CLASSES=\d+', printed['check_annotations'])
    assert classes in PAGE.read_text()
    assert '18 boxes in 18 of 18 frames' in printed['make_proposals']
    assert 'object manipulation' not in printed['test']
    (figure,) = re.findall(r'mAP/overall: ([\d.]+)', printed['test'])
    assert 0 <= float(figure) <= 1
    assert (tmp_path / 'data/own/found.csv').is_file()
    report = json.loads((tmp_path / 'found/val_00000.json').read_text())
    assert [len(frame['persons']) for frame in report['frames']] == [1, 1, 1]
    assert report['weights'] == 'work_dirs/own/epoch_2.pth'


def test_ava_from_training_to_bars(shrunk, tmp_path, tiny_data):
    """Both runs of Fig. 3: trained, tested, and drawn side by side."""
    for name, part in (('without', '-baseline'), ('with', '')):
        shrunk(AVA.format(part)).dump(tmp_path / f'{name}.py')
        start(tmp_path, 'python', 'tools/train.py', f'{name}.py')
        work_dir = tmp_path / 'work_dirs' / name
        checkpoint = (work_dir / 'last_checkpoint').read_text().strip()
        printed = start(
            tmp_path,
            *('python', 'tools/test.py', f'{name}.py', checkpoint, '--cfg-options'),
            *(f'test_evaluator.out_file={name}.csv',),
        )
        assert re.search(r'mAP/overall: [\d.]+', printed)
    truth = tiny_data / 'ava'
    bars = start(
        tmp_path,
        *('python', 'tools/analysis/frame_ap.py', truth / 'truth.csv'),
        *('without.csv', 'with.csv', '--label-map', truth / 'labels.pbtxt'),
        *('--exclude', truth / 'excluded.csv', '--out', 'bars.png'),
    )
    table, title, changes = bars.partition('\nwith less without\n')
    mean = table.splitlines()[-1].split()
    assert mean[0] == 'mean'
    assert len(mean) == 3
    assert title
    assert re.search(r'^all classes +\d+ of \d+ better', changes, re.M)
    assert cv2.imread(str(tmp_path / 'bars.png')).std() > 10
