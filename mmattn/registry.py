"""Registries of mmattn, children of MMEngine's root registries.

A child of the root resolves as ``type='mmattn.X'`` from every scope: under
``default_scope='mmaction'`` and inside ``_scope_='mmdet'`` detectors.  The
modules in ``locations`` are imported the first time that a name is looked up.
"""

from mmengine.registry import DATA_SAMPLERS as ROOT_DATA_SAMPLERS
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import LOOPS as ROOT_LOOPS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as ROOT_OPTIM_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as ROOT_OPTIM_WRAPPERS
from mmengine.registry import TASK_UTILS as ROOT_TASK_UTILS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import VISUALIZERS as ROOT_VISUALIZERS
from mmengine.registry import Registry

SCOPE = 'mmattn'


def _child(name: str, parent: Registry, location: str) -> Registry:
    return Registry(name, parent=parent, scope=SCOPE, locations=[location])


MODELS = _child('model', ROOT_MODELS, 'mmattn.models')
TASK_UTILS = _child('task util', ROOT_TASK_UTILS, 'mmattn.models')
DATASETS = _child('dataset', ROOT_DATASETS, 'mmattn.datasets')
DATA_SAMPLERS = _child('data sampler', ROOT_DATA_SAMPLERS, 'mmattn.datasets')
TRANSFORMS = _child('transform', ROOT_TRANSFORMS, 'mmattn.datasets')
METRICS = _child('metric', ROOT_METRICS, 'mmattn.evaluation')
HOOKS = _child('hook', ROOT_HOOKS, 'mmattn.engine')
LOOPS = _child('loop', ROOT_LOOPS, 'mmattn.engine')
OPTIM_WRAPPERS = _child('optim_wrapper', ROOT_OPTIM_WRAPPERS, 'mmattn.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    'optimizer wrapper constructor', ROOT_OPTIM_CONSTRUCTORS, 'mmattn.engine'
)
VISUALIZERS = _child('visualizer', ROOT_VISUALIZERS, 'mmattn.visualization')
