"""The systems on each device: CPU always, CUDA under the marker ``gpu``.

On a GPU they have to agree with a CPU in float64 and with themselves in other layouts,
types and wrappers.
"""

import copy

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import MMDistributedDataParallel, convert_sync_batchnorm
from mmengine.model.wrappers import MMFullyShardedDataParallel
from mmengine.registry import MODEL_WRAPPERS
from small_systems import RECOGNIZERS, build, data_of
from torch.distributed.fsdp import StateDictType
from torch.nn.attention import SDPBackend, sdpa_kernel

from mmattn.compat import score_in_float32
from mmattn.models.layers.slowfast_attn_modules import fused_attention
from mmattn.models.memory_layout import to_channels_last
from mmattn.utils.configs import configs_root

CUDA = pytest.param(
    'cuda',
    marks=[
        pytest.mark.gpu,
        pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU'),
    ],
)
on_devices = pytest.mark.parametrize('device', ['cpu', CUDA])
of_systems = pytest.mark.parametrize('system', RECOGNIZERS)


def train_step(model, videos, samples):
    """Losses and gradients of a training step, on the CPU."""
    model.zero_grad()
    loss, logged = model.parse_losses(model(videos, samples, mode='loss'))
    loss.backward()
    logged = {name: float(value.detach()) for name, value in logged.items()}
    return logged, {name: p.grad.cpu() for name, p in model.named_parameters()}


def prepared(system, device, folder, dtype=torch.float64):
    """A system and a batch on a device."""
    (videos, samples), _, _ = data_of(system, folder)
    return build(system).to(device, dtype), videos.to(device, dtype), samples


def assert_same_step(found, expected, **tolerance):
    assert found[0] == pytest.approx(expected[0], rel=tolerance.get('rtol', 1e-6))
    for name, gradient in expected[1].items():
        torch.testing.assert_close(found[1][name], gradient, msg=name, **tolerance)


@on_devices
@of_systems
def test_a_step_in_channels_last_is_that_of_a_cpu(system, device, tmp_path):
    expected = train_step(*prepared(system, 'cpu', tmp_path))
    model, videos, samples = prepared(system, device, tmp_path)
    assert_same_step(train_step(model, videos, samples), expected)
    assert to_channels_last(model)
    assert_same_step(train_step(model, videos, samples), expected)


@on_devices
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@of_systems
def test_a_step_under_autocast(system, dtype, device, tmp_path):
    score_in_float32()
    exact, _ = train_step(*prepared(system, 'cpu', tmp_path))
    model, videos, samples = prepared(system, device, tmp_path, torch.float32)
    to_channels_last(model)
    with torch.autocast(device, dtype):
        logged, gradients = train_step(model, videos, samples)
    losses = {name for name in logged if 'loss' in name}
    assert losses
    for name in losses:
        assert logged[name] == pytest.approx(exact[name], rel=0.05), name
    assert all(g.isfinite().all() for g in gradients.values())
    assert all(g.dtype == torch.float32 for g in gradients.values())


# Compiling a system's code takes a minute of a CPU: all are traced, two compiled there.
COMPILED = [
    *((system, 'aot_eager', 'cpu') for system in RECOGNIZERS),
    *((system, 'inductor', 'cpu') for system in ('temporal_lstm', 'convlstm')),
    *(
        pytest.param(system, 'inductor', *CUDA.values, marks=CUDA.marks)
        for system in RECOGNIZERS
    ),
]


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')  # the compiler warns of what it does itself
@pytest.mark.parametrize('system, backend, device', COMPILED)
def test_a_compiled_step(system, backend, device, tmp_path):
    model, videos, samples = prepared(system, device, tmp_path)
    expected = train_step(model, videos, samples)
    model.forward = torch.compile(model.forward, backend=backend)
    assert_same_step(train_step(model, videos, samples), expected)


@pytest.fixture
def one_process(device, tmp_path):
    """Process group of this process alone: NCCL on a GPU, gloo on a CPU."""
    torch.distributed.init_process_group(
        'nccl' if device == 'cuda' else 'gloo',
        init_method=f'file://{tmp_path}/meet',
        rank=0,
        world_size=1,
    )
    yield
    torch.distributed.destroy_process_group()


@on_devices
@of_systems
def test_ddp_of_one_process(system, device, one_process, tmp_path):
    model, videos, samples = prepared(system, device, tmp_path)
    to_channels_last(model)
    expected = train_step(model, videos, samples)
    wrapped = MMDistributedDataParallel(
        copy.deepcopy(model), device_ids=[0] if device == 'cuda' else None
    )
    for _ in range(2):  # the second step fails if a parameter was not used
        wrapped.zero_grad()
        losses = wrapped(videos, samples, mode='loss')
        loss, _ = model.parse_losses(losses)
        loss.backward()
    for name, parameter in wrapped.module.named_parameters():
        torch.testing.assert_close(parameter.grad.cpu(), expected[1][name], msg=name)


@pytest.mark.parametrize('device', [CUDA])  # SyncBN has no CPU form
@of_systems
def test_sync_batch_norm_of_one_process(system, device, one_process, tmp_path):
    model, videos, samples = prepared(system, device, tmp_path)
    expected = train_step(model, videos, samples)
    converted = convert_sync_batchnorm(model)
    assert_same_step(train_step(converted, videos, samples), expected)


@on_devices
@pytest.mark.filterwarnings('ignore:.*NO_SHARD')
@pytest.mark.filterwarnings('ignore:FSDP.state_dict_type')
@of_systems
def test_full_checkpoint_of_fsdp(system, device, one_process, tmp_path):
    config = Config.fromfile(configs_root() / '_base_' / 'fsdp.py')
    wrapper = config.strategy.model_wrapper
    wrapper.auto_wrap_policy.min_num_params = 50
    model, *_ = prepared(system, device, tmp_path)
    to_channels_last(model)
    expected = {key: value.clone() for key, value in model.state_dict().items()}
    sharded = MODEL_WRAPPERS.build(
        ConfigDict(wrapper), default_args=dict(module=copy.deepcopy(model))
    )
    assert isinstance(sharded, MMFullyShardedDataParallel)
    with sharded.state_dict_type(sharded, StateDictType.FULL_STATE_DICT):
        torch.save(sharded.state_dict(), tmp_path / 'full.pth')
    loaded = torch.load(tmp_path / 'full.pth', map_location=device)
    assert loaded.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(loaded[key], value, rtol=0, atol=0)


SIZES = {  # regions, rows and numbers in a row: C T, H W; H W, C T; T, C H W
    'cpu': [(2, 61, 49), (2, 49, 61), (2, 4, 343)],
    'cuda': [(8, 8192, 49), (8, 49, 8192), (8, 4, 2048 * 49)],
}


@on_devices
@pytest.mark.parametrize('which', range(3), ids=['channels', 'pixels', 'frames'])
def test_attention_at_the_size_of_the_paper(which, device):
    regions, rows, width = SIZES[device][which]
    shape = (regions, rows, width)
    q, k, v = (torch.randn(shape, device=device) * width**-0.25 for _ in range(3))
    few = slice(0, 1), slice(0, 32)
    literal = (q[few].double() @ k[:1].double().mT).softmax(2) @ v[:1].double()
    torch.testing.assert_close(
        fused_attention(q, k, v)[few].double(), literal, rtol=1e-2, atol=5e-3
    )


@pytest.mark.parametrize('device', [CUDA])
def test_attention_over_channels_keeps_no_map(device):
    q, k, v = (
        torch.randn(8, 8192, 49, device=device, requires_grad=True) for _ in range(3)
    )
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    with sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.FLASH_ATTENTION]):
        fused_attention(q, k, v).sum().backward()  # refuses what no kernel can
    peak = torch.cuda.max_memory_allocated() - before
    one_map = 4 * 8 * 8192**2
    assert peak < one_map / 20
