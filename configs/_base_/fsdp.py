# For models that do not fit on a GPU: spreads weights, gradients and the optimizer's state over
# the processes. Name it as a further base of a config, behind default_runtime.py.
runner_type = 'FlexibleRunner'
strategy = dict(
    type='FSDPStrategy',
    model_wrapper=dict(
        type='MMFullyShardedDataParallel',
        use_orig_params=True,
        auto_wrap_policy=dict(
            type='mmattn.engine.sharding.wrap_layers', min_num_params=100000)),
    state_dict_cfg='full')
