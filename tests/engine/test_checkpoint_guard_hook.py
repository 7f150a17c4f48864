"""A checkpoint that does not fit stops the run before it is loaded."""

from pathlib import Path

import pytest
import torch

from mmattn.engine import CheckpointGuardHook
from mmattn.inference.models import load_model
from mmattn.testing import build_runner

FEATURES = 'temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-rgb'


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Places for a checkpoint that the first test asking for it trains."""
    return tmp_path_factory.mktemp('trained')


@pytest.fixture
def checkpoint(trained, shrunk) -> Path:
    if not (trained / 'last_checkpoint').exists():
        build_runner(shrunk(FEATURES), trained).train()
    return Path((trained / 'last_checkpoint').read_text().strip())


def edited(checkpoint, path, edit):
    """Copy of a checkpoint with the weights changed by ``edit``."""
    content = torch.load(checkpoint)
    content['state_dict'] = edit(content['state_dict'])
    torch.save(content, path)
    return path


def renamed(weights):
    return {f'other.{key}': value for key, value in weights.items()}


def with_five_classes(weights):
    return dict(
        weights,
        **{
            'cls_head.fc_cls.weight': torch.zeros(5, 8),
            'cls_head.fc_cls.bias': torch.zeros(5),
        },
    )


def test_own_checkpoint_tests(shrunk, checkpoint, tmp_path):
    cfg = shrunk(FEATURES)
    cfg.load_from = str(checkpoint)
    assert 'acc/top1' in build_runner(cfg, tmp_path).test()


def test_checkpoint_of_another_model_is_not_tested(shrunk, checkpoint, tmp_path):
    cfg = shrunk(FEATURES)
    cfg.load_from = str(edited(checkpoint, tmp_path / 'other.pth', renamed))
    with pytest.raises(
        ValueError,
        match=r'other\.pth: expected the weights of this model, got (\d+) of \1 '
        r'tensors missing .*cls_head\.\S+ \(expected \(.*\), got nothing\)',
    ):
        build_runner(cfg, tmp_path).test()


def test_other_classes_are_not_tested(shrunk, checkpoint, tmp_path):
    cfg = shrunk(FEATURES)
    path = edited(checkpoint, tmp_path / 'five.pth', with_five_classes)
    cfg.load_from = str(path)
    with pytest.raises(
        ValueError,
        match=r'five\.pth: .*fc_cls\.weight \(expected \(3, 8\), got \(5, 8\)\)',
    ):
        build_runner(cfg, tmp_path).test()


def with_nan(weights):
    weights['cls_head.fc_cls.bias'][1] = float('nan')
    return weights


def with_infinity(weights):
    weights['cls_head.fc_cls.weight'][0, 0] = float('-inf')
    return weights


def with_integers(weights):
    return dict(weights, **{'cls_head.fc_cls.bias': torch.zeros(3, dtype=torch.int64)})


@pytest.mark.parametrize('use', ['test', 'resume', 'fine-tune', 'load_model'])
@pytest.mark.parametrize(
    'edit, message',
    [
        (with_nan, r'bias \(expected finite numbers, got 1 of 3'),
        (with_infinity, r'weight \(expected finite numbers, got 1 of 24'),
        (with_integers, r'bias \(expected numbers of a floating type, got int64'),
    ],
)
def test_weights_that_are_no_numbers(shrunk, checkpoint, tmp_path, edit, message, use):
    cfg = shrunk(FEATURES)
    path = edited(checkpoint, tmp_path / 'wrong.pth', edit)
    cfg.load_from = str(path)
    cfg.resume = use == 'resume'
    match = rf'wrong\.pth: expected trained weights, got cls_head\.fc_cls\.{message}'
    uses = {
        'test': lambda: build_runner(cfg, tmp_path).test(),
        'load_model': lambda: load_model(cfg, path),
    }
    use_it = uses.get(use, lambda: build_runner(cfg, tmp_path).train())
    with pytest.raises(ValueError, match=match):
        use_it()


def test_fine_tuning_takes_all_but_the_new_classifier(shrunk, checkpoint, tmp_path):
    cfg = shrunk(FEATURES)
    path = edited(checkpoint, tmp_path / 'five.pth', with_five_classes)
    cfg.load_from = str(path)
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.0)
    runner = build_runner(cfg, tmp_path)
    runner.train()
    source, found = torch.load(path)['state_dict'], runner.model.state_dict()
    for key, value in source.items():
        if 'fc_cls' not in key:
            torch.testing.assert_close(found[key], value, rtol=0, atol=0)
    assert found['cls_head.fc_cls.weight'].shape == (3, 8)


def test_fine_tuning_from_another_model_is_refused(shrunk, checkpoint, tmp_path):
    cfg = shrunk(FEATURES)
    cfg.load_from = str(edited(checkpoint, tmp_path / 'other.pth', renamed))
    with pytest.raises(ValueError, match=r'other\.pth: expected the weights of this'):
        build_runner(cfg, tmp_path).train()


def test_min_match_is_the_bound(shrunk, checkpoint, tmp_path):
    cfg = shrunk(FEATURES)
    path = edited(checkpoint, tmp_path / 'five.pth', with_five_classes)
    cfg.load_from = str(path)
    (guard,) = (h for h in cfg.custom_hooks if 'Guard' in h.type)
    guard.min_match = 1.0
    with pytest.raises(ValueError, match=r'five\.pth: .*got 2 of \d+ tensors'):
        build_runner(cfg, tmp_path).train()


@pytest.mark.parametrize('named', [True, False])
def test_resuming_is_strict_and_names_the_file(shrunk, checkpoint, tmp_path, named):
    cfg = shrunk(FEATURES)
    path = edited(checkpoint, tmp_path / 'epoch_1.pth', with_five_classes)
    (tmp_path / 'last_checkpoint').write_text(str(path))
    cfg.resume = True
    cfg.load_from = str(path) if named else None
    with pytest.raises(ValueError, match=r'epoch_1\.pth: .*fc_cls\.weight'):
        build_runner(cfg, tmp_path).train()


@pytest.mark.parametrize('content', ['text', 'half'])
def test_file_that_is_no_checkpoint(shrunk, checkpoint, tmp_path, content):
    data = checkpoint.read_bytes()
    path = tmp_path / 'broken.pth'
    path.write_bytes(b'<html>' if content == 'text' else data[: len(data) // 2])
    cfg = shrunk(FEATURES)
    cfg.load_from = str(path)
    with pytest.raises(ValueError, match=r'broken\.pth: expected a file written by'):
        build_runner(cfg, tmp_path).test()


def test_checkpoint_of_old_torch_is_read(shrunk, checkpoint, tmp_path):
    path = tmp_path / 'old.pth'
    torch.save(torch.load(checkpoint), path, _use_new_zipfile_serialization=False)
    cfg = shrunk(FEATURES)
    cfg.load_from = str(path)
    assert 'acc/top1' in build_runner(cfg, tmp_path).test()


@pytest.mark.parametrize('min_match', [-0.1, 1.1])
def test_bad_min_match(min_match):
    with pytest.raises(ValueError, match='min_match: expected float from 0 to 1'):
        CheckpointGuardHook(min_match=min_match)
