import shutil

import pytest
import torch
from mmengine.config import Config

from mmattn.inference.find import find_model
from mmattn.inference.models import load_model
from mmattn.testing import train_and_test
from mmattn.utils.configs import find_config, host_configs_root

VIDEO = 'temporal_lstm_tiny-vgg16bn_1xb8-30x1-50e_keyframes-rgb'
FEATURES = 'temporal_lstm_tiny-vgg16bn-fc6_1xb32-30x1-50e_keyframes-rgb'


@pytest.fixture(scope='module')
def trained(tmp_path_factory, tiny_data):
    """Work folder of a run of one iteration, on features."""
    from mmattn.testing import shrink

    cfg = shrink(Config.fromfile(find_config(FEATURES)), tiny_data)
    folder = tmp_path_factory.mktemp('runs') / 'mine'
    train_and_test(cfg, folder)
    return folder


@pytest.fixture
def work_dir(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / 'mine')


def last(work_dir):
    return work_dir / 'epoch_1.pth'


def same_weights(network, path):
    weights = torch.load(path, weights_only=True)['state_dict']
    found = network.state_dict()
    return found.keys() == weights.keys() and all(
        torch.equal(found[key], weights[key]) for key in found
    )


def test_a_work_folder_is_config_and_last_checkpoint(work_dir):
    files = find_model(work_dir)
    assert files.name == 'mine'
    assert files.weights == str(last(work_dir))
    assert same_weights(load_model(work_dir), last(work_dir))


def test_a_checkpoint_carries_its_config(work_dir, tmp_path):
    moved = shutil.copy(last(work_dir), tmp_path / 'moved.pth')
    assert same_weights(load_model(moved), moved)
    assert find_model(moved).cfg.model == find_model(work_dir).cfg.model


def test_the_best_checkpoint_goes_before_the_last(work_dir):
    shutil.copy(last(work_dir), work_dir / 'best_acc_top1_epoch_1.pth')
    assert find_model(work_dir).weights.endswith('best_acc_top1_epoch_1.pth')
    assert find_model(work_dir, last(work_dir)).weights == str(last(work_dir))


def test_a_damaged_best_checkpoint_is_passed_over(work_dir):
    half = last(work_dir).read_bytes()[:1000]
    (work_dir / 'best_acc_top1_epoch_1.pth').write_bytes(half)
    assert find_model(work_dir).weights == str(last(work_dir))


def test_classes_travel_in_the_checkpoint(work_dir):
    content = torch.load(last(work_dir), weights_only=True)
    content['meta']['dataset_meta'] = {'classes': ['run', 'hop', 'sit']}
    torch.save(content, last(work_dir))
    assert find_model(work_dir).classes == ('run', 'hop', 'sit')
    assert find_model(last(work_dir)).classes == ('run', 'hop', 'sit')
    assert find_model(FEATURES, last(work_dir)).classes == ('run', 'hop', 'sit')
    assert find_model(FEATURES).classes is None


def test_configs_are_found_by_name():
    assert find_model(VIDEO).cfg.model.type == 'mmattn.FrameRecognizer'
    stem = 'tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb'
    assert host_configs_root() in find_config(stem).parents
    with pytest.raises(
        ValueError, match=r'did you mean temporal_lstm_tiny-vgg16bn_1xb8'
    ):
        find_model(VIDEO.replace('50e', '5e'))


def refuses(match, *given):
    with pytest.raises(ValueError, match=match):
        find_model(*given)


def test_a_folder_without_weights_is_refused(work_dir):
    last(work_dir).unlink()
    refuses('expected a work folder with a whole checkpoint, got', work_dir)


def test_weights_alone_take_the_config_of_the_folder(work_dir):
    content = torch.load(last(work_dir), weights_only=True)
    torch.save({'state_dict': content['state_dict']}, last(work_dir))
    assert same_weights(load_model(work_dir), last(work_dir))
    (work_dir / 'other.py').write_text('model = dict()')
    refuses('expected a work folder with the config of its run', work_dir)


def test_weights_without_a_config_are_refused(tmp_path):
    path = tmp_path / 'bare.pth'
    torch.save({'state_dict': {}}, path)
    refuses('bare.pth: expected a checkpoint that carries its config', path)
    refuses('expected a config before the weights', path, path)
    refuses('there is no such file', tmp_path / 'none.pth')
    refuses('expected a config before weights', 'https://example.com/a.pth')


def test_a_checkpoint_with_code_in_its_config_is_refused(work_dir, tmp_path):
    content = torch.load(last(work_dir), weights_only=True)
    mark = tmp_path / 'mark'
    content['meta']['cfg'] += f"\nx = open({str(mark)!r}, 'w')\n"
    torch.save(content, last(work_dir))
    refuses('expected a config that MMEngine has dumped', last(work_dir))
    assert not mark.exists()


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def test_a_checkpoint_with_objects_is_refused(tmp_path):
    mark, path = tmp_path / 'mark', tmp_path / 'evil.pth'
    torch.save({'meta': Touch(mark)}, path)
    refuses('expected weights and plain data', path)
    assert not mark.exists()
