"""The best checkpoint does not depend on when a run was killed."""

import pytest
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from tiny_runs import tiny_config

from mmattn.testing import build_runner

RUNS = {
    'epochs': dict(by_epoch=True, steps=3, lr=0.2),
    'iterations': dict(by_epoch=False, steps=9, interval=3, lr=0.2),
}


class KilledError(Exception):
    """Stands for the end of a process."""


def names(folder):
    return sorted(path.name for path in folder.glob('*.pth'))


@pytest.mark.parametrize('moment', ['before_val', '_save_checkpoint_with_step'])
@pytest.mark.parametrize('options', RUNS.values(), ids=RUNS)
@pytest.mark.parametrize('number', [1, 2])
def test_killed_in_a_validation(tmp_path, monkeypatch, options, moment, number):
    """Before it, or after its best checkpoint and before the note of that."""
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    build_runner(tiny_config(**options), whole).train()
    original = getattr(CheckpointHook, moment)
    validated = []

    def die(self, runner, *args, **kwargs):
        in_validation = moment == 'before_val' or kwargs == {}
        validated.extend([1] * in_validation)
        if len(validated) == number and in_validation:
            raise KilledError
        return original(self, runner, *args, **kwargs)

    runner = build_runner(tiny_config(**options), killed)
    monkeypatch.setattr(CheckpointHook, moment, die)
    with pytest.raises(KilledError):
        runner.train()
    monkeypatch.undo()
    cfg = tiny_config(**options)
    cfg.resume = True
    build_runner(cfg, killed).train()
    assert names(whole) == names(killed)
    best = [name for name in names(whole) if name.startswith('best')]
    assert len(best) == 1


@pytest.mark.parametrize('options', RUNS.values(), ids=RUNS)
def test_killed_before_the_old_best_goes(tmp_path, monkeypatch, options):
    """The resumed run still knows of it, and keeps one best checkpoint alone."""
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    build_runner(tiny_config(**options), whole).train()

    def die(self, path):
        raise KilledError(path)

    monkeypatch.setattr(LocalBackend, 'remove', die)
    with pytest.raises(KilledError, match='best_'):
        build_runner(tiny_config(**options), killed).train()
    monkeypatch.undo()
    assert len([name for name in names(killed) if name.startswith('best')]) == 2
    cfg = tiny_config(**options)
    cfg.resume = True
    build_runner(cfg, killed).train()
    assert names(whole) == names(killed)


def test_nothing_is_missed(tmp_path, monkeypatch):
    build_runner(tiny_config(steps=2), tmp_path).train()
    cfg = tiny_config(steps=2)
    cfg.resume = True
    runner = build_runner(cfg, tmp_path)
    monkeypatch.setattr(type(runner.build_val_loop(runner._val_loop)), 'run', None)
    runner.train()  # would call it
    assert runner.epoch == 2
