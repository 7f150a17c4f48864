"""Persons and their actions in AVA's layout take the same command."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmattn.front.train import train

LABELS = 'item { name: "left" id: 1 }\nitem { name: "right" id: 2 }\n'


@pytest.fixture
def own(tmp_path):
    """Folder of four videos of a square that goes left or right."""
    data = tmp_path / 'own'
    (data / 'videos').mkdir(parents=True)
    (data / 'labels.pbtxt').write_text(LABELS)
    lines = dict(train=[], val=[])
    for k in range(4):
        path = str(data / 'videos' / f'{k}.avi')
        film = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*'MJPG'), 15, (96, 64))
        for t in range(45):
            frame = np.zeros((64, 96, 3), np.uint8)
            x = 20 + t if k % 2 else 65 - t
            frame[20:44, x : x + 10] = 255
            film.write(frame)
        film.release()
        row = f'{k}.avi,1,0.3,0.2,0.7,0.8,{1 + k % 2},0'
        lines['train' if k < 2 else 'val'].append(row)
    for part, rows in lines.items():
        (data / f'{part}.csv').write_text('\n'.join(rows) + '\n')
    return data


@pytest.mark.det
@pytest.mark.slow
def test_from_annotations_to_page(own, tmp_path):
    done = train(own, 'slowfast_attn', out=tmp_path / 'out', epochs=1, progress=False)
    assert str(done.outcome).startswith('frame-mAP at IoU 0.5: ')
    content = torch.load(done.checkpoint, weights_only=True)
    assert content['meta']['dataset_meta'] == {'classes': ['left', 'right']}
    cfg = Config.fromstring(content['meta']['cfg'], '.py')
    assert cfg.model.roi_head.bbox_head.num_classes == 3
    assert cfg.val_dataloader.dataset.proposal_file.startswith(str(tmp_path / 'out'))
    assert done.page.read_text('utf-8').count('data-kind="video"') == 2
    assert done.scores.read_text().count('\n') >= 2
    assert any('figures are too good' in note for note in done.notes)


def test_dry_run(own, tmp_path):
    done = train(
        own, 'slowfast_attn', out=tmp_path / 'out', dry_run=True, progress=False
    )
    cfg = Config.fromfile(done.config)
    assert cfg.train_dataloader.dataset.ann_file == str(own / 'train.csv')
    assert (done.out / 'proposals_val.json').is_file()
    assert done.checkpoint is None


def test_proposals_of_ones_own(own, tmp_path):
    boxes = '{"2.avi,0001": [[0.3, 0.2, 0.7, 0.8, 0.9]], "3.avi,0001": []}'
    (own / 'proposals_val.json').write_text(boxes)
    done = train(
        own, 'slowfast_attn', out=tmp_path / 'out', dry_run=True, progress=False
    )
    cfg = Config.fromfile(done.config)
    own_file = str(own / 'proposals_val.json')
    assert cfg.val_dataloader.dataset.proposal_file == own_file
    assert not any('too good' in note for note in done.notes)


def test_another_system(own, tmp_path):
    with pytest.raises(ValueError, match=r'--system: expected slowfast_attn for boxes'):
        train(own, 'convlstm', out=tmp_path)


@pytest.mark.parametrize('option', [{'tuned': True}, {'attention': False}])
def test_options_that_detectors_do_not_have(option, own, tmp_path):
    with pytest.raises(ValueError, match='expected neither --tuned nor --baseline'):
        train(own, 'slowfast_attn', out=tmp_path, **option)


def test_a_missing_file(own, tmp_path):
    (own / 'val.csv').unlink()
    with pytest.raises(FileNotFoundError, match=r'got no val\.csv'):
        train(own, 'slowfast_attn', out=tmp_path)


def test_a_bad_line(own, tmp_path):
    with (own / 'val.csv').open('a') as file:
        file.write('2.avi,1,0.3,0.2,1.7,0.8,1,0\n2.avi,99,0.3,0.2,0.7,0.8,1,0\n')
    with pytest.raises(ValueError, match=r'val\.csv:3: expected .*; 1 more lines'):
        train(own, 'slowfast_attn', out=tmp_path)
