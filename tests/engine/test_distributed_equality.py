"""Two processes give the losses, gradients and metrics of one, for every system.

With whole copies of the model (DistributedDataParallel) and with shards of it (FSDP).
"""

import importlib.util
from contextlib import nullcontext

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import DefaultSampler
from mmengine.dist import get_dist_info
from mmengine.evaluator import Evaluator
from mmengine.model.wrappers import MMFullyShardedDataParallel
from mmengine.registry import MODEL_WRAPPERS, init_default_scope
from small_systems import RECOGNIZERS, TRAINED, build, data_of
from two_processes import in_two_processes

from mmattn.testing.ava import write_tiny_ava
from mmattn.utils.configs import configs_root

WRAPPERS = ('ddp', 'fsdp')
HAS_DETECTION = importlib.util.find_spec('mmdet') is not None
SYSTEMS = (*RECOGNIZERS, *(('slowfast_attn',) if HAS_DETECTION else ()))


def wrapped(model, wrapper):
    if wrapper == 'none':
        return model
    config = dict(type='MMDistributedDataParallel', broadcast_buffers=False)
    if wrapper == 'fsdp':
        fragment = Config.fromfile(configs_root() / '_base_' / 'fsdp.py')
        config = fragment.strategy.model_wrapper
        config.auto_wrap_policy.min_num_params = 50
    return MODEL_WRAPPERS.build(config, default_args=dict(module=model))


def gradients_of(model):
    """Gradients by name, gathered from their shards."""
    whole = nullcontext()
    if isinstance(model, MMFullyShardedDataParallel):
        assert len(MMFullyShardedDataParallel.fsdp_modules(model)) > 3
        whole = MMFullyShardedDataParallel.summon_full_params(model, with_grads=True)
    with whole:
        return {
            name.removeprefix('module.'): parameter.grad.clone()
            for name, parameter in model.named_parameters()
        }


def measure(system, folder, wrapper='none'):
    """Logged losses, gradients and metrics of this process's share of the data."""
    rank, world = get_dist_info()
    model = build(system)
    parallel = wrapped(model, wrapper)
    (videos, samples), (test_videos, test_samples), metrics = data_of(system, folder)
    share = TRAINED // world
    own = slice(rank * share, (rank + 1) * share)
    for _ in range(2):  # the second step fails if a parameter was not used
        parallel.zero_grad()
        losses = parallel(videos[own], samples[own], mode='loss')
        loss, logged = model.parse_losses(losses)
        loss.backward()
    gradients = gradients_of(parallel)

    parallel.eval()
    evaluator = Evaluator([ConfigDict(metric) for metric in metrics])
    with torch.no_grad():
        for n in DefaultSampler(test_samples, shuffle=False):
            one = test_videos[n : n + 1], [test_samples[n]]
            evaluator.process(parallel(*one, mode='predict'))
    measured = evaluator.evaluate(len(test_samples))
    logged = {name: float(value.detach()) for name, value in logged.items()}
    return logged, gradients, measured


def measure_all(rank, folder):
    init_default_scope('mmaction')
    return {
        (system, wrapper): measure(system, folder, wrapper)
        for system in SYSTEMS
        for wrapper in WRAPPERS
    }


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    """Folder of the data, and what each of two processes measured of each system."""
    folder = tmp_path_factory.mktemp('shared')
    write_tiny_ava(folder / 'ava')
    return folder, in_two_processes(measure_all, folder, folder)


@pytest.mark.slow
@pytest.mark.parametrize('wrapper', WRAPPERS)
@pytest.mark.parametrize(
    'system',
    [*RECOGNIZERS, pytest.param('slowfast_attn', marks=pytest.mark.det)],
)
def test_two_processes_are_as_one(shared, system, wrapper):
    if system not in SYSTEMS:
        pytest.skip('mmdet is not installed')
    folder, processes = shared
    logged, gradients, metrics = measure(system, folder)
    both = [process[system, wrapper] for process in processes]
    losses = {name for name in logged if 'loss' in name}
    extra = {
        'pyramid': {'loss_inter', 'loss_attn'},
        'slowfast_attn': {'loss_action_bbox'},
    }
    assert losses >= extra.get(system, {'loss', 'loss_cls'})
    for name, value in logged.items():
        shares = [found[0][name] for found in both]
        assert sum(shares) / 2 == pytest.approx(value, rel=1e-6), name
        if name in losses:
            assert shares[0] != shares[1], name
    for name, gradient in gradients.items():
        assert gradient.any(), name
        for _, averaged, _ in both:
            torch.testing.assert_close(averaged[name], gradient, msg=name)
    assert metrics
    assert [found[2] for found in both] == [pytest.approx(metrics, nan_ok=True)] * 2
