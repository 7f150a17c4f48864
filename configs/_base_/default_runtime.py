# Runtime shared by every recognition config: the host's scope, our repairs and guards.
default_scope = 'mmaction'
custom_imports = dict(imports=['mmattn'], allow_failed_imports=False)

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook', interval=1, save_best='auto', max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    sync_buffers=dict(type='SyncBuffersHook'))
custom_hooks = [
    dict(type='mmattn.ReproducibleHook'),
    dict(type='mmattn.ChannelsLastHook'),
    dict(type='mmattn.CheckpointGuardHook'),
    dict(type='mmattn.ClassCountHook'),
    dict(type='mmattn.DivergenceHook'),
    dict(type='mmattn.MissedValidationHook'),
]

channels_last = True  # memory layout of convolutions; False is PyTorch's own
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))  # gloo where there is no GPU

log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)

log_level = 'INFO'
load_from = None
resume = False
