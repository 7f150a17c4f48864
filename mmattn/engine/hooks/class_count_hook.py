"""Hook that refuses classes that do not fit each other."""

from collections.abc import Iterator
from typing import Any

from mmaction.models.heads import BaseHead
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from mmattn.models.heads.class_counts import require_several_classes
from mmattn.registry import HOOKS


@HOOKS.register_module()
class ClassCountHook(Hook):
    """Stop a run whose head has other classes than its data sets.

    A list of another data set is scored without a word otherwise: labels that the head
    does not have count as mistakes. A softmax over one class, which is always right, is
    refused, too.

    Raises:
        ValueError: Naming the data loader and both numbers of classes.
    """

    def before_run(self, runner: Any) -> None:
        """Compare the head with the data sets of the loops that will run."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        counts = set()
        for module in model.modules():
            if isinstance(module, BaseHead):
                require_several_classes(module)
                counts.add(module.num_classes)
        bbox_head = getattr(getattr(model, 'roi_head', None), 'bbox_head', None)
        counts.add(getattr(bbox_head, 'num_classes', None))
        counts.discard(None)
        if len(counts) != 1:  # heads of several data sets, or none that says
            return
        for name in ('train', 'val', 'test'):
            loader = getattr(getattr(runner, f'_{name}_loop'), 'dataloader', None)
            for dataset in _leaves(getattr(loader, 'dataset', None)):
                _require_classes(f'{name}_dataloader', dataset, *counts)


def _leaves(dataset: Any) -> Iterator[Any]:
    """The data sets inside of wrappers, of which a head sees each."""
    parts = [getattr(dataset, name, None) for name in ('dataset', 'rgb', 'flow')]
    parts += getattr(dataset, 'datasets', ())
    parts = [part for part in parts if part is not None]
    if not parts:
        yield dataset
    for part in parts:
        yield from _leaves(part)


def _require_classes(name: str, dataset: Any, num_classes: int) -> None:
    if not hasattr(dataset, 'num_classes'):
        return
    found = dataset.num_classes
    if found is None:
        found = 1 + max(_labels(dataset), default=-1)
        fits = found <= num_classes
    else:
        fits = found == num_classes
    if not fits:
        raise ValueError(
            f'{name}.dataset: expected the {num_classes} classes of the head, got '
            f'{found} in {getattr(dataset, "ann_file", type(dataset).__name__)}'
        )


def _labels(dataset: Any) -> Iterator[int]:
    for index in range(len(dataset)):
        label = dataset.get_data_info(index).get('label', -1)
        yield from label if isinstance(label, (list, tuple)) else [label]
