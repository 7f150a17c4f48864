"""Charades from its csv to the official text file, through the tools."""

import csv
import json
import shutil

import numpy as np
import pytest

from mmattn.datasets import read_charades
from mmattn.evaluation import charades_map, load_submission

CONFIG = 'pyramid_in1k-pre-bninception_8xb8-1x1x3-10kiter_charades-rgb'
SPLITS = ('train', 'test')


@pytest.fixture
def run(tmp_path, monkeypatch, run_tool, capsys):
    """Run a tool inside this process, with ``tmp_path`` as its place."""
    monkeypatch.chdir(tmp_path)

    def run_one(name, *args):
        run_tool(name, *args)
        return capsys.readouterr().out

    return run_one


def part_of_charades(official, videos, folder):
    """Official lines of a few ids, one without an action, and a video for each."""
    (folder / 'videos').mkdir()
    sources = sorted(videos.glob('*.mp4'))
    for split in SPLITS:
        name = f'Charades_v1_{split}.csv'
        with open(official / name, newline='') as file:
            reader = csv.DictReader(file)
            rows = list(reader)
        labeled = [row for row in rows if row['actions']][: len(sources) - 1]
        empty = next(row for row in rows if not row['actions'])
        chosen = [empty, *labeled]
        with open(folder / name, 'w', newline='') as file:
            writer = csv.DictWriter(file, reader.fieldnames)
            writer.writeheader()
            writer.writerows(chosen)
        for row, source in zip(chosen, sources, strict=True):
            shutil.copy(source, folder / 'videos' / f'{row["id"]}.mp4')


def full_labels(cfg, folder):
    """Let a shrunk config read the lists of Charades with all classes."""
    cfg.model.cls_head.num_classes = 157
    lists = dict(train='train', val='test', test='test')
    for split, name in lists.items():
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.ann_file = str(folder / f'{name}.txt')
        dataset.data_prefix.video = str(folder / 'videos')
        dataset.num_classes = 157
    return cfg


@pytest.mark.slow
def test_from_the_csv_to_the_submission(real_data, tiny_data, shrunk, tmp_path, run):
    official = real_data / 'annotations' / 'charades'
    part_of_charades(official, tiny_data / 'videos', tmp_path)
    for split in SPLITS:
        args = (f'Charades_v1_{split}.csv', 'videos', f'{split}.txt')
        assert '4 of 4 videos' in run('data/charades/list_charades.py', *args)
    full_labels(shrunk(CONFIG), tmp_path).dump('model.py')

    options = ('--cfg-options', 'experiment_name=charades_train')
    run('train.py', 'model.py', *options)
    work_dir = tmp_path / 'work_dirs' / 'model'
    assert list(work_dir.glob('best_charades_mAP_iter_*.pth'))
    checkpoint = (work_dir / 'last_checkpoint').read_text().strip()
    options = ('--cfg-options', 'experiment_name=charades_test')
    options += ('test_evaluator.submission=submission.txt',)
    run('test.py', 'model.py', checkpoint, '--work-dir', 'tested', *options)

    names, scores = load_submission('submission.txt')
    videos = read_charades('Charades_v1_test.csv')
    assert names == tuple(video.name for video in videos)
    assert not videos[0].labels
    assert ((scores > 0) & (scores < 1)).all()
    assert scores.sum(axis=1).min() > 2  # sigmoids, no softmax
    labels = np.zeros((4, 157))
    for row, video in zip(labels, videos, strict=True):
        row[list(video.labels)] = 1
    expected = charades_map(scores, labels)
    (report,) = (tmp_path / 'tested').glob('*/*.json')
    logged = json.loads(report.read_text())
    assert logged['charades/mAP'] == pytest.approx(expected.mAP)
    assert logged['charades/wAP'] == pytest.approx(expected.wAP)
    args = ('submission.txt', 'Charades_v1_test.csv')
    printed = run('analysis/evaluate_charades.py', *args).strip()
    assert printed == f'mAP {100 * expected.mAP:.2f}  wAP {100 * expected.wAP:.2f}'
