"""A run whose numbers are not finite stops and keeps what was good."""

import re
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from tiny_runs import tiny_config

from mmattn.engine import DivergedError, DivergenceHook
from mmattn.testing import build_runner


@HOOKS.register_module(force=True)
class PoisonHook(Hook):
    """Put a number into the model before or after an iteration."""

    priority = 'VERY_HIGH'

    def __init__(self, when, iteration, value):
        self.when, self.iteration, self.value = when, iteration, value

    def _poison(self, runner, when):
        if (when, runner.iter) == (self.when, self.iteration):
            runner.model.last.bias.data.fill_(self.value)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self._poison(runner, 'before')

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._poison(runner, 'after')


def run(folder, when, iteration, value, **options):
    cfg = tiny_config(steps=4, **options)
    cfg.custom_hooks.append(
        dict(type='PoisonHook', when=when, iteration=iteration, value=value)
    )
    build_runner(cfg, folder).train()


def whole_files(folder):
    files = {}
    for path in folder.glob('*.pth'):
        weights = torch.load(path)['state_dict'].values()
        assert all(torch.isfinite(x).all() for x in weights)
        files[path.name] = path
    return files


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_losses_are_named_with_step_rate_and_checkpoint(tmp_path, value):
    with pytest.raises(
        DivergedError,
        match=r'iteration 13 of epoch 3: expected finite losses, got loss=(nan|inf), '
        r'at lr 0\.0\d+; last whole checkpoint: .*epoch_2\.pth',
    ):
        run(tmp_path, 'before', 12, value)
    files = whole_files(tmp_path)
    assert {'epoch_1.pth', 'epoch_2.pth'} <= files.keys()


@pytest.mark.parametrize('ema', [False, True])
def test_weights_are_looked_at_before_they_are_kept(tmp_path, ema):
    """The last step of epoch 3 loses them, when its loss was still right."""
    with pytest.raises(
        DivergedError, match=r'expected finite numbers, got state_dict\.last\.bias=1 of'
    ):
        run(tmp_path, 'after', 17, float('nan'), ema=ema, keep=1)
    files = whole_files(tmp_path)
    assert 'epoch_2.pth' in files
    assert any(name.startswith('best_') for name in files)
    assert 'epoch_3.pth' not in files


def test_best_is_not_replaced(tmp_path):
    """Weights that go wrong in a validation whose metric improves."""
    cfg = tiny_config(steps=4)
    runner = build_runner(cfg, tmp_path)
    runner.train()
    (best,) = tmp_path.glob('best_*.pth')
    before = best.read_bytes()
    runner.model.last.bias.data.fill_(float('nan'))
    (hook,) = (h for h in runner.hooks if type(h).__name__ == 'CheckpointHook')
    with pytest.raises(DivergedError, match='numbers'):
        hook.after_val_epoch(runner, {'val/loss': -1.0})
    assert best.read_bytes() == before


def test_optimizer_counts_too(tmp_path):
    runner = build_runner(tiny_config(steps=1), tmp_path)
    runner.train()
    state = runner.optim_wrapper.optimizer.state
    next(iter(state.values()))['exp_avg'].fill_(float('inf'))
    with pytest.raises(DivergedError, match=r'optimizer\.state\.0\.exp_avg='):
        runner.save_checkpoint(str(tmp_path), 'a.pth')
    assert not (tmp_path / 'a.pth').exists()


def fake_runner(losses, weight=0.0, *, scaler):
    model = torch.nn.Linear(1, 1)
    model.weight.data.fill_(weight)
    scalars = {f'train/{k}': SimpleNamespace(current=lambda v=v: v) for k, v in losses}
    wrapper = SimpleNamespace(get_lr=lambda: dict(lr=[0.5], base_lr=[0.5]))
    if scaler:
        wrapper.loss_scaler = object()
    return SimpleNamespace(
        model=model,
        message_hub=SimpleNamespace(get_scalar=scalars.__getitem__),
        optim_wrapper=wrapper,
        iter=6,
        epoch=1,
        work_dir='/nowhere',
    )


def step(hook, *losses, weight=0.0, scaler=True):
    runner = fake_runner(losses, weight, scaler=scaler)
    hook.after_train_iter(runner, 0, outputs=dict(losses))


def test_a_loss_scaler_skips_overflows():
    hook = DivergenceHook(patience=3)
    for _ in range(3):
        step(hook, ('loss', float('inf')))
        step(hook, ('loss', float('inf')))
        step(hook, ('loss', 1.0))  # begins to count anew
    step(hook, ('loss', float('inf')))
    step(hook, ('loss', float('inf')))
    with pytest.raises(DivergedError, match='got loss=inf'):
        step(hook, ('loss', float('inf')))


def test_a_loss_scaler_does_not_excuse_weights():
    with pytest.raises(DivergedError, match='losses'):
        step(DivergenceHook(), ('loss', float('nan')), weight=float('nan'))


def test_every_loss_is_shown_and_none_is_saved_yet():
    with pytest.raises(
        DivergedError,
        match=re.escape(
            'iteration 7 of epoch 2: expected finite losses, got a=1.5, b=nan, at lr '
            '0.5; last whole checkpoint: none'
        ),
    ):
        step(DivergenceHook(), ('a', 1.5), ('b', float('nan')), scaler=False)


def test_masks_may_be_infinite(tmp_path):
    runner = build_runner(tiny_config(steps=1), tmp_path)
    runner.model.register_buffer('mask', torch.tensor([0.0, float('-inf')]))
    runner.train()
    assert (tmp_path / 'epoch_1.pth').exists()


def test_patience_is_checked():
    with pytest.raises(ValueError, match='patience: expected int at least 1, got 0'):
        DivergenceHook(patience=0)
