"""Learning rates that grow with the depth of the layer.

Wang and Ma, Spatial-temporal bottom-up top-down attention model for action recognition.
"""

from typing import Any

from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from mmattn.engine.optimizers.layer_depths import depth_table, layer_depths, sine_rate
from mmattn.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class SineLayerwiseConstructor(DefaultOptimWrapperConstructor):
    r"""Let the learning rate grow with the depth, :math:`\sin(l/L \cdot \pi/2)\alpha`.

    Implements Eq. (2) of Spatial-temporal bottom-up top-down attention model for action
    recognition. :func:`~mmattn.engine.optimizers.layer_depths.layer_depths` says how
    the depth l = 1..L of a layer is counted; frozen layers count too. The optimizer's
    ``lr`` is :math:`\alpha`, which the classifier has. Schedulers multiply the rates of
    all layers alike, except for absolute values such as ``eta_min`` (use
    ``eta_min_ratio``).

    Everything else is as with MMEngine's default constructor: ``lr_mult`` of
    ``custom_keys``, ``bias_lr_mult``, ... multiply the rate of Eq. (2). Parameters with
    the same options share a group, and one of several modules has a place once.

    Args:
        optim_wrapper_cfg: As in MMEngine; its ``optimizer`` needs an ``lr``.
        paramwise_cfg: As in MMEngine, and two more entries: ``input_shape`` for
            :func:`~mmattn.engine.optimizers.layer_depths.layer_depths`, and
            ``print_depths=True`` to log the table of depths.

    Raises:
        ValueError: If the optimizer has no ``lr``, or no depths can be found.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Conv2d(5, 7, 1, bias=False))
        >>> build = SineLayerwiseConstructor(
        ...     dict(optimizer=dict(type='SGD', lr=0.1)),
        ...     dict(input_shape=(3, 8, 8), bias_lr_mult=2),
        ... )
        >>> [round(group['lr'], 4) for group in build(net).optimizer.param_groups]
        [0.0707, 0.1414, 0.1]
    """

    def __init__(
        self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None
    ) -> None:
        if 'optimizer' not in optim_wrapper_cfg:
            raise ValueError(
                "optim_wrapper: expected a config with 'optimizer', got "
                f'{optim_wrapper_cfg}'
            )
        # The host would not ask add_params if there were no options.
        options = {'input_shape': None, 'print_depths': False, **(paramwise_cfg or {})}
        super().__init__(optim_wrapper_cfg, options)
        self.base_lr: float
        if self.base_lr is None:
            raise ValueError(
                'optim_wrapper.optimizer.lr: expected the learning rate of the '
                'classifier, got none'
            )

    def add_params(
        self,
        params: list[dict],
        module: nn.Module,
        prefix: str = '',
        is_dcn_module: Any = None,
    ) -> None:
        """Add the groups of all parameters of a model.

        Args:
            params: List to which the groups are added.
            module: The model; its children when the host's method calls itself.
            prefix: Name of ``module`` in the model.
            is_dcn_module: As in MMEngine.
        """
        if prefix:
            super().add_params(params, module, prefix, is_dcn_module)
            return
        depths = layer_depths(module, self.paramwise_cfg['input_shape'])
        if self.paramwise_cfg['print_depths']:
            print_log(f'learning rates by depth\n{depth_table(depths)}', 'current')
        single: list[dict] = []  # groups of one parameter each
        super().add_params(single, module, prefix, is_dcn_module)
        last = max(depths.values())
        depth_of = {p: depths[name] for name, p in module.named_parameters()}
        groups: dict[tuple, dict] = {}
        seen = set()
        for group in single:
            (parameter,) = group.pop('params')
            if parameter in seen:
                continue
            seen.add(parameter)
            rate = sine_rate(depth_of[parameter], last)
            group['lr'] = group.get('lr', self.base_lr) * rate
            key = tuple(sorted((k, repr(v)) for k, v in group.items()))
            groups.setdefault(key, {'params': [], **group})['params'].append(parameter)
        params += groups.values()
