"""Models of mmattn: importing this package registers all of them."""

from mmattn.models.backbones import *  # noqa: F403
from mmattn.models.data_preprocessors import *  # noqa: F403
from mmattn.models.detectors import *  # noqa: F403
from mmattn.models.heads import *  # noqa: F403
from mmattn.models.layers import *  # noqa: F403
from mmattn.models.losses import *  # noqa: F403
from mmattn.models.necks import *  # noqa: F403
from mmattn.models.recognizers import *  # noqa: F403
from mmattn.models.roi_heads import *  # noqa: F403
