"""Heads on regions of the features, for action detection.

Without mmdet only what needs none of it is there; the names of the rest say, when they
are built, how to install it.
"""

from mmattn.compat import refuse_detection, require_detection
from mmattn.models.roi_heads.slowfast_attn_head import SlowFastSharedHead
from mmattn.registry import MODELS

__all__ = ['SlowFastSharedHead']

try:
    require_detection()
except ImportError:
    for name in ('ActionBBoxHead', 'ActionRoIHead'):
        MODELS.register_module(name, module=refuse_detection)
else:
    from mmattn.models.roi_heads.action_bbox_head import ActionBBoxHead
    from mmattn.models.roi_heads.action_roi_head import ActionRoIHead

    __all__ += ['ActionBBoxHead', 'ActionRoIHead']
