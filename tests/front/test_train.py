"""Training on folders of videos, from the folder to the page."""

import json
import multiprocessing
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

import mmattn
from mmattn.comparison.systems import SYSTEMS as COMPARED
from mmattn.comparison.systems import Shapes
from mmattn.evaluation import load_scores
from mmattn.front.runs import run_test, run_training
from mmattn.front.systems import SYSTEMS, TUNED, Plan, system_model
from mmattn.front.train import train
from mmattn.front.trunks import DEFAULT, TRUNKS
from mmattn.inference.attend import attend_to_videos
from mmattn.inference.models import load_model


@pytest.mark.parametrize('arm', ['tuned twin', 'tuned'])
def test_convlstm_has_the_recommended_form(arm):
    plan = Plan('convlstm', TRUNKS[DEFAULT], '', 5, attention=arm == 'tuned')
    layer = system_model(plan)['cls_head']['recurrence']
    compared = COMPARED['convlstm'].build(Shapes(5, (7,), (3, 2), 8), arm)
    assert compared['head']['recurrence'] == dict(layer, feature_size=(3, 2))


@pytest.mark.parametrize('system', TUNED)
def test_tuned_systems_have_the_form_that_is_compared(system):
    """The modules differ from the default in what they differ in from the paper's."""

    def changes(models, *path):
        for key in path:
            models = [model[key] for model in models]
        before, after = models
        return {k: v for k, v in after.items() if before.get(k, ...) != v}

    path = dict(
        temporal_lstm=('cls_head', 'lstm'),
        pyramid=('reduction', 'module'),
        slowfast_attn=('cls_head', 'slowfast'),
    )
    plans = [
        Plan(system, TRUNKS[DEFAULT], '', 5, tuned=tuned) for tuned in (False, True)
    ]
    found = changes([system_model(plan) for plan in plans], *path[system])
    shapes = Shapes(5, (3, 4, 1280), (7, 7), 8)
    compared = [COMPARED[system].build(shapes, arm) for arm in ('paper', 'tuned')]
    path = ('head', 'lstm') if system == 'temporal_lstm' else ('neck',)
    expected = changes(compared, *path)
    expected.pop('num_layers', None)  # one by default here
    assert found == expected
    assert found


def test_other_systems_have_one_form():
    with pytest.raises(ValueError, match=r"--tuned: expected --system .*got 'stbta'"):
        Plan('stbta', TRUNKS[DEFAULT], '', 5, tuned=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('system', 'attention', 'tuned'),
    [
        *((system, attention, False) for system in SYSTEMS for attention in (1, 0)),
        *((system, True, True) for system in TUNED),
    ],
)
def test_from_folder_to_page(system, attention, tuned, bright_and_dark, tiny, tmp_path):
    done = train(
        bright_and_dark,
        system,
        out=tmp_path / 'out',
        attention=bool(attention),
        tuned=tuned,
        epochs=2,
        **tiny,
    )
    content = torch.load(done.checkpoint, weights_only=True)
    assert content['meta']['dataset_meta'] == {'classes': ['bright', 'dark day']}
    assert content['meta']['mmattn_version'] == mmattn.__version__
    cfg = Config.fromstring(content['meta']['cfg'], '.py')
    scores = load_scores(done.scores)
    assert done.outcome.videos == len(scores.labels) == 4
    # The checkpoint and its own config give the scores of the test, from the videos.
    model = load_model(cfg, str(done.checkpoint))
    videos = [bright_and_dark / f'{name}.avi' for name in scores.video_ids]
    found = [
        sample.pred_score.numpy()
        for _, sample, _ in attend_to_videos(model, videos, progress=False)
    ]
    np.testing.assert_allclose(found, scores.scores, atol=2e-3)
    page = done.page.read_text('utf-8')
    assert str(done.outcome).split(';')[0] in page
    assert page.count('class="clip card"') == 4
    assert f'mmattn predict {done.out} VIDEO' in str(done)


def test_it_learns(bright_and_dark, tiny, tmp_path):
    done = train(bright_and_dark, 'none', out=tmp_path, epochs=30, **tiny)
    assert done.outcome.accuracy == 1
    assert done.outcome.low == pytest.approx(0.5101, abs=1e-4)  # Wilson, 4 of 4
    assert done.outcome.frequent_share == 0.5


def test_finetune_trains_the_network(bright_and_dark, tiny, tiny_weights, tmp_path):
    done = train(bright_and_dark, 'none', out=tmp_path, epochs=1, finetune=True, **tiny)
    before = torch.load(tiny_weights, weights_only=True)
    after = torch.load(done.checkpoint, weights_only=True)['state_dict']
    changed = [
        k for k, v in before.items() if not torch.equal(v, after[f'backbone.{k}'])
    ]
    assert changed
    assert not (tmp_path / 'maps').exists()


def test_processes_that_read_end_with_the_run(bright_and_dark, tiny, tmp_path):
    options = dict(tiny, epochs=1, finetune=True, dry_run=True)
    cfg = Config.fromfile(
        train(bright_and_dark, 'none', out=tmp_path, **options).config
    )
    assert cfg.train_dataloader.persistent_workers
    before = set(multiprocessing.active_children())  # of other tests
    checkpoint = run_training(cfg, tmp_path / 'run', progress=False)
    assert before.issuperset(multiprocessing.active_children())
    run_test(cfg, checkpoint, tmp_path / 'test')
    assert before.issuperset(multiprocessing.active_children())


def test_a_frozen_network_stays(bright_and_dark, tiny, tiny_weights, tmp_path):
    done = train(bright_and_dark, 'stbta', out=tmp_path, epochs=1, **tiny)
    before = torch.load(tiny_weights, weights_only=True)
    after = torch.load(done.checkpoint, weights_only=True)['state_dict']
    assert all(torch.equal(v, after[f'backbone.{k}']) for k, v in before.items())


def test_dry_run_writes_lists_and_config(bright_and_dark, tiny, tmp_path, capsys):
    options = dict(tiny, progress=True)
    done = train(bright_and_dark, out=tmp_path / 'a b', dry_run=True, **options)
    assert done.checkpoint is None
    assert {p.name for p in done.out.iterdir()} == {
        'temporal_lstm.py',
        'train.tsv',
        'test.tsv',
        'classes.txt',
        'checked.jsonl',
    }
    cfg = Config.fromfile(done.config)
    assert cfg.model.cls_head.num_classes == 2
    assert Path(cfg.train_dataloader.dataset.ann_file).read_text().count('\n') == 8
    text = capsys.readouterr().out
    assert '12 videos of 2 classes: bright 6, dark day 6' in text
    assert 'split by class, seed 0' in text
    assert f'mim train mmattn {done.config}' in str(done)


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob('maps/**/*.npy')}


def test_again_is_the_same_and_stores_nothing_anew(bright_and_dark, tiny, tmp_path):
    first = train(bright_and_dark, out=tmp_path, epochs=2, **tiny)
    scores = load_scores(first.scores).scores
    files = times(tmp_path)
    assert len(files) == 12
    again = train(bright_and_dark, out=tmp_path, epochs=2, **tiny)
    np.testing.assert_array_equal(load_scores(again.scores).scores, scores)
    assert files == {
        p: p.stat().st_mtime_ns for p in (tmp_path / 'maps').rglob('*.npy')
    }


def test_an_edited_config_is_not_overwritten(bright_and_dark, tiny, tmp_path):
    done = train(bright_and_dark, out=tmp_path, dry_run=True, **tiny)
    done.config.write_text(done.config.read_text() + 'extra = 1\n')
    with pytest.raises(ValueError, match=r'got another one: run it with mim train'):
        train(bright_and_dark, out=tmp_path, dry_run=True, **tiny)
    assert done.config.read_text().endswith('extra = 1\n')


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(system='tsn'), "--system: expected one of temporal_lstm, .* got 'tsn'"),
        (dict(frames=1), '--frames: expected 2 or more, got 1'),
        (dict(epochs=0), '--epochs: expected 1 or more, got 0'),
        (dict(backbone='alexnet'), "--backbone: expected one of .* got 'alexnet'"),
        (dict(weights='none'), '--weights: expected weights for tiny, got none'),
        (dict(weights='no.pth'), r'--weights: expected a file, got none at no\.pth'),
    ],
)
def test_bad_options(options, message, bright_and_dark, tiny, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        train(bright_and_dark, **dict(tiny, out=tmp_path, **options))


def test_too_few_videos_say_what_was_left_out(bright_and_dark, tiny, tmp_path):
    data = tmp_path / 'data'
    for label, source in dict(bright='bright', dark='dark day').items():
        (data / label).mkdir(parents=True)
        first = bright_and_dark / source / '0.avi'
        for k in range(3):
            shutil.copy(first, data / label / f'{k}.avi')
    (data / 'dark' / 'half.avi').write_bytes(first.read_bytes()[:500])
    with pytest.raises(ValueError, match='two videos or more of each class') as raised:
        train(data, 'none', out=tmp_path / 'out', **tiny)
    reasons = str(raised.value).splitlines()[1:]
    assert any('half.avi' in line for line in reasons)
    assert any('bright/1.avi' in line for line in reasons)


def test_weights_of_another_network(bright_and_dark, tiny, tmp_path):
    path = tmp_path / 'other.pth'
    torch.save({'conv.weight': torch.ones(2, 3, 5, 5)}, path)
    with pytest.raises(ValueError, match=r'other\.pth: expected all .* weights'):
        train(bright_and_dark, out=tmp_path, **dict(tiny, weights=str(path)))


def test_other_maps_are_refused(bright_and_dark, tiny, tmp_path):
    train(bright_and_dark, out=tmp_path, epochs=1, **tiny)
    record = tmp_path / 'maps' / 'maps.json'
    record.write_text(json.dumps(dict(json.loads(record.read_text()), mean=[1.0])))
    with pytest.raises(ValueError, match='expected maps made with mean'):
        train(bright_and_dark, out=tmp_path, epochs=1, **tiny)
