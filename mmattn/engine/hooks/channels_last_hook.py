"""Hook that lays a model's convolutions out channels last."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.model.wrappers import MMFullyShardedDataParallel
from torch.nn.parallel import DistributedDataParallel

from mmattn.models.memory_layout import to_channels_last
from mmattn.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Store the weights of convolutions channels last, so that their maps are too.

    Results are the same up to rounding. ``channels_last = False`` in the config
    switches it off. Models that FSDP shards stay as they are, as their weights lie in
    one row. ``benchmarks/backbones.py`` measures the gain.

    Example:
        >>> custom_hooks = [dict(type='mmattn.ChannelsLastHook')]
    """

    priority = 'VERY_HIGH'  # before hooks that copy the model or hold its wrapper

    def before_run(self, runner: Any) -> None:
        """Change the layout of all weights with the rank of maps or of volumes."""
        modules = runner.model.modules()
        sharded = any(isinstance(m, MMFullyShardedDataParallel) for m in modules)
        if sharded or not runner.cfg.get('channels_last', True):
            return
        changed = to_channels_last(runner.model)
        if changed and isinstance(runner.model, DistributedDataParallel):
            # Its buffers have the layout that the weights had: gradients of the first
            # step would be rounded in another way than those of the others.
            wrapper = runner.cfg.get('model_wrapper_cfg')
            runner.model = runner.wrap_model(wrapper, runner.model.module)
