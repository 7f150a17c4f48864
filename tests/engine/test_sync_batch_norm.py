"""SyncBN in training mode: two processes normalize as one that has the whole batch."""

import pytest
import torch
from mmengine.model import MMDistributedDataParallel, convert_sync_batchnorm
from mmengine.registry import init_default_scope
from small_systems import RECOGNIZERS, TRAINED, build, data_of
from two_processes import in_two_processes


def step(model, videos, samples):
    """Loss of one training step, whose gradients stay in the model."""
    losses = model(videos.cuda(), samples, mode='loss')
    loss = sum(value for name, value in losses.items() if 'loss' in name)
    loss.backward()
    return loss.item()


def state_of(model):
    """Gradients, and the statistics that the batch norms keep."""
    gradients = {name: p.grad.cpu() for name, p in model.named_parameters()}
    kept = {name: buffer.cpu() for name, buffer in model.named_buffers()}
    return gradients, {k: v for k, v in kept.items() if 'running' in k}


def measure(rank, folder):
    init_default_scope('mmaction')
    found = {}
    own = slice(rank * TRAINED // 2, (rank + 1) * TRAINED // 2)
    for system in RECOGNIZERS:
        model = convert_sync_batchnorm(build(system, norms_learn=True).cuda())
        parallel = MMDistributedDataParallel(model, broadcast_buffers=False)
        (videos, samples), _, _ = data_of(system, folder)
        loss = step(parallel, videos[own], samples[own])
        found[system] = loss, *state_of(model)
    return found


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='SyncBN needs a GPU')
def test_sync_batch_norm_sees_the_whole_batch(tmp_path):
    both = in_two_processes(measure, tmp_path, tmp_path)
    for system in RECOGNIZERS:
        model = build(system, norms_learn=True).cuda()
        (videos, samples), _, _ = data_of(system, tmp_path)
        loss = step(model, videos, samples)
        shares = [found[system][0] for found in both]
        assert sum(shares) / 2 == pytest.approx(loss, rel=1e-6), system
        gradients, statistics = state_of(model)
        assert statistics
        for found in both:
            torch.testing.assert_close(found[system][1], gradients)
            torch.testing.assert_close(found[system][2], statistics)
