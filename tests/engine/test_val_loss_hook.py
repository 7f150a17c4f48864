"""ValLossHook: the validation loss of a run, and its picture."""

import json

import cv2
import pytest
import torch

from mmattn.testing import build_runner
from mmattn.visualization.loss_curve import (
    LossCurve,
    find_log,
    read_losses,
    save_losses,
)

STEM = 'convlstm_in1k-pre-vgg16_1xb15-30x1-10e_hmdb51-10c-split1-rgb'
TOOL = 'analysis/plot_loss.py'


@pytest.fixture
def runner(shrunk, tmp_path):
    """One epoch of four videos; batches of three and one in validation."""
    cfg = shrunk(STEM)
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]
    cfg.val_dataloader.batch_size = 3
    return build_runner(cfg, tmp_path / 'run')


def test_logged_loss_is_that_of_the_videos(runner, tmp_path, run_tool, capsys):
    runner.train()
    curve = read_losses(find_log(tmp_path / 'run'))
    assert curve.unit == 'epoch'
    assert [step for step, _ in curve.train] == [step for step, _ in curve.val] == [1]
    model, losses = runner.model.eval(), []
    with torch.no_grad():
        for i in range(4):
            item = runner.val_dataloader.dataset[i]
            batch = {key: [value] for key, value in item.items()}
            data = model.data_preprocessor(batch)
            losses.append(model(**data, mode='loss')['loss_cls'].item())
    assert curve.val[0][1] == pytest.approx(sum(losses) / 4, rel=1e-4)
    out = tmp_path / 'pictures' / 'loss.png'
    assert run_tool(TOOL, tmp_path / 'run', '--out', out) == 0
    assert cv2.imread(str(out)).std() > 1
    assert capsys.readouterr().out.strip().endswith(str(out))


def write_log(folder, *entries):
    path = folder / '20200101_000000' / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(map(json.dumps, entries)) + '\n')
    return path


def test_losses_of_epochs(tmp_path):
    path = write_log(
        tmp_path,
        {'lr': 1, 'loss': 4.0, 'epoch': 1, 'step': 20},
        {'lr': 1, 'loss': 2.0, 'epoch': 1, 'step': 40},
        {'acc/top1': 0.5, 'val_loss': 5.0, 'step': 1},
        {'lr': 1, 'loss': 1.0, 'epoch': 2, 'step': 60},
        {'acc/top1': 0.5, 'val_loss': 2.5, 'step': 2},
    )
    assert find_log(tmp_path) == find_log(path) == path
    assert read_losses(path) == LossCurve(
        'epoch', [(1, 3.0), (2, 1.0)], [(1, 5.0), (2, 2.5)]
    )


def test_losses_of_iterations(tmp_path):
    entries = [
        {'loss': 4.0, 'step': 20},
        {'loss': 2.0, 'step': 40},
        {'acc': 1, 'step': 40},
    ]
    path = write_log(tmp_path, *entries)
    assert read_losses(path) == LossCurve('iteration', [(20, 4.0), (40, 2.0)], [])


def test_pictures_differ_with_the_losses(tmp_path):
    shapes = []
    for n, val in enumerate(([], [(1, 2.0), (2, 0.5)])):
        path = tmp_path / f'{n}.png'
        save_losses(LossCurve('epoch', [(1, 3.0), (2, 1.0)], val), path, title='run')
        shapes.append(cv2.imread(str(path)))
    assert (shapes[0] != shapes[1]).any()


def test_logs_that_are_none(tmp_path, run_tool, capsys):
    with pytest.raises(ValueError, match=r"expected a run's vis_data/scalars.json"):
        find_log(tmp_path)
    path = write_log(tmp_path, {'acc/top1': 0.5, 'step': 1})
    with pytest.raises(ValueError, match=r"scalars.json: expected lines with 'loss'"):
        read_losses(path)
    path.write_text('{"loss": 1\n')
    with pytest.raises(
        ValueError, match=r"expected lines of scalars .* '{\"loss\": 1'"
    ):
        read_losses(path)
    assert run_tool(TOOL, path) == 2
    assert 'expected lines of scalars' in capsys.readouterr().err


def test_tool_says_that_a_log_has_no_validation_loss(tmp_path, run_tool, capsys):
    path = write_log(tmp_path, {'loss': 4.0, 'step': 20})
    assert run_tool(TOOL, path, '--out', tmp_path / 'x.png') == 0
    assert 'no validation loss in the log' in capsys.readouterr().out
