"""Detectors that find the persons whose actions they recognize.

Without mmdet the name of the detector says, when it is built, how to install it.
"""

from mmattn.compat import refuse_detection, require_detection
from mmattn.registry import MODELS

__all__: list[str] = []

try:
    require_detection()
except ImportError:
    MODELS.register_module('ActionFasterRCNN', module=refuse_detection)
else:
    from mmattn.models.detectors.action_faster_rcnn import ActionFasterRCNN

    __all__ += ['ActionFasterRCNN']
