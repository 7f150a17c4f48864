"""The smallest runs that have everything a resumed run has to repeat."""

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS

from mmattn.datasets.samplers import seeded_rng


@DATASETS.register_module(force=True)
class TinyNumbers(torch.utils.data.Dataset):
    """Numbers with random augmentation."""

    def __init__(self, size=12):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        with seeded_rng(getattr(index, 'seed', 0)):
            noise = 0.1 * torch.randn(4)
        value = torch.tensor([1.0, index % 2, index % 3, index / 10])
        return dict(inputs=value + noise, labels=torch.tensor(float(index % 2)))


@MODELS.register_module(force=True)
class TinyNet(BaseModel):
    """Batch norm, dropout, two layers."""

    def __init__(self, width=8):
        super().__init__()
        self.first = torch.nn.Linear(4, width)
        self.norm = torch.nn.BatchNorm1d(width)
        self.last = torch.nn.Linear(width, 1)

    def forward(self, inputs, labels, mode='loss'):
        x = torch.nn.functional.dropout(
            self.norm(self.first(inputs)), 0.3, self.training
        )
        scores = self.last(x.relu())[:, 0].float()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, labels)
        if mode == 'loss':
            return dict(loss=loss)
        return [dict(score=float(loss))]


@METRICS.register_module(force=True)
class TinyLoss(BaseMetric):
    """Mean loss, in float."""

    default_prefix = 'val'

    def process(self, data_batch, data_samples):
        self.results.extend(x['score'] for x in data_samples)

    def compute_metrics(self, results):
        return dict(loss=sum(results) / len(results))


def tiny_config(
    by_epoch=True,
    *,
    steps=4,
    interval=1,
    accumulate=1,
    ema=False,
    bf16=False,
    clip=False,
    workers=0,
    keep=2,
    best=True,
    width=8,
    lr=0.05,
):
    """Config of a run of ``steps`` epochs of 6 iterations, or of iterations."""

    def loader(**sampler):
        return dict(
            batch_size=2,
            num_workers=workers,
            persistent_workers=workers > 0,
            sampler=sampler,
            dataset=dict(type='TinyNumbers'),
            collate_fn=dict(type='default_collate'),
        )

    hooks = [dict(type='mmattn.ReproducibleHook')]
    hooks += [dict(type='mmattn.CheckpointGuardHook')]
    hooks += [dict(type='mmattn.DivergenceHook')]
    hooks += [dict(type='mmattn.MissedValidationHook')]
    hooks += [dict(type='EMAHook', momentum=0.1)] * ema
    train_cfg = dict(by_epoch=True, max_epochs=steps)
    if not by_epoch:
        train_cfg = dict(
            type='mmattn.ResumableIterLoop', max_iters=steps, val_interval=interval
        )
    wrapper = dict(
        type='mmattn.Bf16OptimWrapper' if bf16 else 'OptimWrapper',
        optimizer=dict(type='Adam', lr=lr),
        accumulative_counts=accumulate,
    )
    if clip:
        wrapper['clip_grad'] = dict(max_norm=0.5)
    return Config(
        dict(
            default_scope='mmengine',
            custom_imports=dict(imports=['mmattn', 'tiny_runs']),
            model=dict(type='TinyNet', width=width),
            train_dataloader=loader(
                type='mmattn.SeededSampler', shuffle=True, infinite=not by_epoch
            ),
            val_dataloader=loader(type='DefaultSampler', shuffle=False),
            val_evaluator=dict(type='TinyLoss'),
            val_cfg={},
            train_cfg=train_cfg,
            optim_wrapper=wrapper,
            param_scheduler=[dict(type='CosineAnnealingLR', by_epoch=by_epoch)],
            custom_hooks=hooks,
            default_hooks=dict(
                logger=dict(type='LoggerHook', interval=1),
                sync_buffers=dict(type='SyncBuffersHook'),
                checkpoint=dict(
                    type='CheckpointHook',
                    by_epoch=by_epoch,
                    interval=interval,
                    max_keep_ckpts=keep,
                    save_best='auto' if best else None,
                ),
            ),
            log_processor=dict(by_epoch=by_epoch, window_size=1),
            randomness=dict(seed=5),
            log_level='WARNING',
        )
    )
