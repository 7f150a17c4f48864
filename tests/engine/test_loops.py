"""The iteration loop resumes without reading what is done."""

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS

from mmattn.testing import build_runner

CONVNET = 'temporal_lstm-convnet_in1k-pre-vgg16_8xb32-1x1x1-10kiter_ucf101-split1-rgb'


@DATASETS.register_module(force=True)
class CountedReads(torch.utils.data.Dataset):
    """Seven numbers; ``reads`` remembers which were asked for."""

    reads: list[int] = []

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        self.reads.append(int(index))
        return dict(inputs=torch.tensor([float(index)]))


@MODELS.register_module(force=True)
class OneWeight(BaseModel):
    """The smallest model that trains."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(
        self, inputs: torch.Tensor, mode: str = 'loss'
    ) -> dict[str, torch.Tensor]:
        return dict(loss=(self.weight * inputs).sum())


def toy_config(max_iters):
    return Config(
        dict(
            default_scope='mmengine',
            model=dict(type='OneWeight'),
            train_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='mmattn.SeededSampler', infinite=True),
                dataset=dict(type='CountedReads'),
                collate_fn=dict(type='default_collate'),
            ),
            train_cfg=dict(type='mmattn.ResumableIterLoop', max_iters=max_iters),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            default_hooks=dict(
                checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1)
            ),
            randomness=dict(seed=5),
        )
    )


def test_resumed_run_reads_only_what_is_left(tmp_path):
    CountedReads.reads = []
    build_runner(toy_config(5), tmp_path / 'whole').train()
    whole = list(CountedReads.reads)
    assert len(whole) == 10  # 5 batches of 2, over the end of the 7 samples

    build_runner(toy_config(3), tmp_path / 'part').train()
    CountedReads.reads = []
    cfg = toy_config(5)
    cfg.resume = True
    cfg.randomness = dict(seed=None)  # the seed is the checkpoint's
    runner = build_runner(cfg, tmp_path / 'part')
    runner.train()
    assert CountedReads.reads == whole[6:]
    assert runner.iter == 5


@pytest.mark.parametrize('batch_size', [1, 3])
def test_another_batch_size_goes_on_with_the_next_samples(tmp_path, batch_size):
    CountedReads.reads = []
    build_runner(toy_config(9), tmp_path / 'whole').train()
    whole = list(CountedReads.reads)

    build_runner(toy_config(3), tmp_path / 'part').train()
    read = []
    for max_iters in (5, 6):  # resumed, and resumed once more
        CountedReads.reads = []
        cfg = toy_config(max_iters)
        cfg.resume = True
        cfg.train_dataloader.batch_size = batch_size
        build_runner(cfg, tmp_path / 'part').train()
        read += CountedReads.reads
    assert read == whole[6 : 6 + 3 * batch_size]


@pytest.mark.parametrize('sampler', ['DefaultSampler', 'InfiniteSampler'])
def test_sampler_that_cannot_skip_is_refused(shrunk, tmp_path, sampler):
    cfg = shrunk(CONVNET)
    cfg.train_dataloader.sampler = dict(type=sampler, shuffle=True)
    with pytest.raises(
        TypeError, match=rf'train_dataloader\.sampler: .*SeededSampler.*got {sampler}'
    ):
        build_runner(cfg, tmp_path).train()
