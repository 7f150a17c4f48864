"""From a config and videos to the table, its files and its refusals."""

import json
import re
from pathlib import Path

import pytest
import torch
from attending_models import spatial_model
from PIL import Image

from mmattn.explain.faithfulness import FaithfulnessOptions
from mmattn.explain.maps import map_source
from mmattn.explain.run import explain_videos

TOOL = 'visualization/explain.py'
STBTA = 'stbta-one_in1k-pre-bninception_8xb8-1x1x3-100e_ucf101-split1-rgb'
QUICK = ['--steps', '2', '--randoms', '1', '--cells', '3', '--over', 'space']


@pytest.fixture
def stbta(shrunk, tmp_path):
    """Config and weights of a shrunk model with attention, as files."""
    from mmattn.inference.models import load_model

    cfg = shrunk(STBTA)
    cfg.dump(tmp_path / 'model.py')
    torch.save(load_model(cfg, None).state_dict(), tmp_path / 'model.pth')
    return tmp_path / 'model.py', tmp_path / 'model.pth'


def test_the_command(stbta, tiny_data, tmp_path, run_tool, capsys):
    videos = sorted((tiny_data / 'videos').rglob('*.mp4'))[:2]
    (tmp_path / 'bad.mp4').write_bytes(b'no video')
    out = tmp_path / 'out'
    code = run_tool(TOOL, *stbta, *videos, tmp_path / 'bad.mp4', '--out', out, *QUICK)
    shown = capsys.readouterr()
    assert code == 1
    assert 'bad.mp4' in shown.err
    text = (out / 'explain.md').read_text()
    assert text in shown.out
    assert '| grad_cam backbone | space | 2 |' in text
    assert 'spatial_attention' in text
    content = json.loads((out / 'explain.json').read_text())
    assert [Path(v['video']).name for v in content['videos']] == [
        v.name for v in videos
    ]
    assert 'bad.mp4' in content['broken'][0]
    assert content['options']['replace'] == 'blur'
    gate = next(m for m in content['videos'][0]['maps'] if 'gate' in m['name'])
    assert gate['redrawn']['head'] == 1  # the head is behind it
    assert gate['redrawn']['all'] < 1
    with Image.open(out / 'curves.png') as picture:
        assert picture.size[0] > 1000


@pytest.mark.parametrize(
    'args, message',
    [
        (['--class', '99'], 'class_index: expected 0 to '),
        (['--limit', '0'], 'limit: expected at least 1, got 0'),
        (['--map', 'neck.*'], "names: expected some of the maps .*, got .'neck"),
        (['--layer', 'layer9'], r'layer: expected a module of the model'),
    ],
)
def test_refusals(stbta, tiny_data, tmp_path, run_tool, capsys, args, message):
    video = sorted((tiny_data / 'videos').rglob('*.mp4'))[0]
    out = tmp_path / 'out'
    assert run_tool(TOOL, *stbta, video, '--out', out, *QUICK, *args) == 2
    error = capsys.readouterr().err
    (line,) = [line for line in error.splitlines() if line.startswith('error: ')]
    assert re.search(message, line), line


def test_limit_is_spread_over_the_list(tiny_data, tmp_path):
    videos = sorted((tiny_data / 'videos').rglob('*.mp4'))[:5]
    options = FaithfulnessOptions(overs=('space',), steps=1, randoms=1, redraw=False)
    report = explain_videos(
        spatial_model(),
        videos,
        tmp_path,
        sources=dict(attention=map_source('attention')),
        options=options,
        limit=2,
        progress=False,
    )
    assert [result.video for result in report.results] == [
        videos[0].name,
        videos[-1].name,
    ]
    assert 'gate' in report.text
