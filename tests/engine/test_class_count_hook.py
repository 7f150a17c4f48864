"""Classes of head and data that do not fit stop a run before its first step."""

from types import SimpleNamespace

import pytest
from mmaction.registry import MODELS
from torch import nn

from mmattn.engine import ClassCountHook
from mmattn.models import MultiLabelTSNHead
from mmattn.models.heads.class_counts import require_several_classes
from mmattn.testing import build_runner

FEATURES = 'temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-rgb'


class Data:
    """A data set of samples with these labels."""

    def __init__(self, *labels, num_classes=None):
        self.labels, self.num_classes, self.ann_file = labels, num_classes, 'list.txt'

    def __len__(self):
        return len(self.labels)

    def get_data_info(self, index):
        return {'label': self.labels[index]}


def check(*heads, **datasets):
    model = nn.ModuleList(heads)
    loops = {
        f'_{name}_loop': SimpleNamespace(
            dataloader=SimpleNamespace(dataset=datasets.get(name))
        )
        for name in ('train', 'val', 'test')
    }
    ClassCountHook().before_run(SimpleNamespace(model=model, **loops))


def head(num_classes=5, **options):
    return MODELS.build(
        dict(type='TSNHead', num_classes=num_classes, in_channels=3, **options)
    )


def test_data_of_other_classes_are_neither_trained_nor_tested(shrunk, tmp_path):
    cfg = shrunk(FEATURES)
    cfg.model.cls_head.num_classes = 9
    for run in ('train', 'test'):
        runner = build_runner(cfg.copy(), tmp_path / run)
        with pytest.raises(
            ValueError, match=rf'{run}_dataloader.* the 9 classes .*, got \d in .*\.txt'
        ):
            getattr(runner, run)()


def test_labels_tell_where_the_number_is_not_given():
    check(head(), train=Data(0, 4), val=Data(1), test=Data([0, 2], [], -1))
    with pytest.raises(ValueError, match=r'test_.*the 5 classes .*got 6 in list\.txt'):
        check(head(), train=Data(0), test=Data(0, [1, 5]))
    check(head(), train=Data(0, 9, num_classes=5))  # the list is checked elsewhere
    for other in (4, 6):
        with pytest.raises(ValueError, match=f'train_.*got {other} in'):
            check(head(), train=Data(0, num_classes=other))


def test_data_sets_in_wrappers():
    bad = Data(7)
    for wrapped in (
        SimpleNamespace(dataset=bad),
        SimpleNamespace(datasets=[Data(1), SimpleNamespace(dataset=bad)]),
        SimpleNamespace(rgb=Data(1), flow=bad),
    ):
        with pytest.raises(ValueError, match=r'val_dataloader.*got 8'):
            check(head(), val=wrapped)
    check(head(5), head(9), val=bad)  # two heads, of which each may have its data


def test_one_class_is_for_sigmoids():
    message = r'expected 2 or more for TSNHead.*MultiLabelTSNHead.*num_classes=1'
    with pytest.raises(ValueError, match=message):
        check(head(1))
    bce = dict(type='BCELossWithLogits')
    with pytest.raises(ValueError, match=message):
        check(head(1, loss_cls=bce, average_clips='prob'))
    check(head(1, loss_cls=bce, average_clips='score'))  # scores are logits
    check(MultiLabelTSNHead(1, 3), train=Data([0], []))
    require_several_classes(head(2))


@pytest.mark.parametrize('kind', ['TemporalLSTMHead', 'ConvLSTMHead'])
def test_one_class_in_sequences(kind):
    with pytest.raises(ValueError, match=f'expected 2 or more for {kind}'):
        MODELS.build(dict(type=f'mmattn.{kind}', num_classes=1, in_channels=3))
