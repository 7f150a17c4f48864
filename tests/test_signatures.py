"""Arguments are checked against annotations, at one place, for all components."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS as ROOT_MODELS
from wrong_arguments import GIVEN

from mmattn.registry import (
    CheckedRegistry,
    check_arguments,
    find_class,
)
from mmattn.reports.rows import configs_root
from mmattn.signatures import (
    Bounds,
    Component,
    NotNegative,
    OddNumber,
    Positive,
    Share,
    checked,
    describe,
    fits,
    signature_of,
)

RIGHT = [
    (3, int),
    (np.int64(3), int),
    (3, float),
    (np.float32(0.5), float),
    (True, bool),
    ('a', str),
    (None, int | None),
    ([1, 2], Sequence[int]),
    ((1, 2), list[int]),
    ([7, 7], tuple[int, int]),
    ([], tuple[int, ...]),
    (np.array([1.0, 2.0]), Sequence[float]),
    (ConfigDict(a=1), dict),
    (dict(a=1), ConfigDict),
    (dict(a=1), Mapping[str, int]),
    ([dict(a=1)], dict | list[dict] | None),
    ('a/b', Path),
    (Path('a'), str | Path),
    (len, Callable[[Any], int]),
    ('avg', Literal['avg', 'max']),
    (1, Positive),
    (0, NotNegative),
    (1, Share),
    (dict(type='A'), Component),
    (object(), Any),
    ([object()], Sequence[Any]),
]
WRONG = [
    ('3', int, 'int'),
    (3.0, int, 'int'),
    (True, int, 'int'),
    (True, float, 'float'),
    (float('nan'), float, 'float'),
    (float('inf'), float, 'float'),
    (1, bool, 'bool'),
    (3, str, 'str'),
    (b'a', str, 'str'),
    (None, int, 'int'),
    ('12', Sequence[int], 'sequence of int'),
    (5, Sequence[int], 'sequence of int'),
    ([1, 'a'], Sequence[int], 'sequence of int'),
    ([1.5], list[int], 'list of int'),
    ([7], tuple[int, int], 'tuple of 2 int'),
    ([1, 2], dict, 'dict'),
    (dict(a='b'), Mapping[str, int], 'mapping'),
    (7, str | Path, 'str or path'),
    ('len', Callable[[Any], int], 'callable'),
    ('min', Literal['avg', 'max'], "one of ('avg', 'max')"),
    (0, Positive, 'int at least 1'),
    (-1, NotNegative, 'int at least 0'),
    (1.5, Share, 'float from 0 to 1'),
    ('a', int | None, 'int or None'),
    (dict(typ='A'), Component, "dict with the key 'type'"),
]


@pytest.mark.parametrize('value, hint', RIGHT)
def test_what_fits(value, hint):
    assert fits(value, hint)


@pytest.mark.parametrize('value, hint, words', WRONG)
def test_what_does_not(value, hint, words):
    assert not fits(value, hint)
    assert describe(hint) == words


class Base:
    def __init__(self, width: int, note: str = None, **rest: Any) -> None:  # noqa: RUF013
        self.width = width


class Step(Base):
    def __init__(self, size: int = 3, *, way: str = 'up', **host_args: Any) -> None:
        super().__init__(**host_args)


def test_arguments_of_base_classes_count():
    known, is_open = signature_of(Step)
    assert list(known) == ['size', 'way', 'width', 'note']
    assert is_open
    assert fits(None, known['note'].hint)  # as its default says


@pytest.fixture
def registry():
    return CheckedRegistry('step', scope='mmattn', locations=['mmattn.signatures'])


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(size='3'), "^Closed: size: expected int, got '3'$"),
        (dict(way=None), '^Closed: way: expected str, got None$'),
        (dict(sice=3), "^Closed: sice: expected one of the arguments .*, got 'sice'$"),
        (dict(size='x' * 99), f"^Closed: size: expected int, got '{'x' * 59}...$"),
    ],
)
def test_registered_classes_check(registry, options, message):
    @registry.register_module()
    class Closed:
        def __init__(self, size: int = 3, *, way: str = 'up') -> None:
            self.size = size

    assert registry.build(dict(type='Closed', size=4)).size == 4
    assert Closed(5).size == 5
    with pytest.raises(TypeError, match=message):
        registry.build(dict(type='Closed', **options))
    with pytest.raises(TypeError, match=r'^Closed: size: .* got \[4\]'):
        Closed([4])
    with pytest.raises(TypeError, match=r'^Closed: expected other arguments'):
        Closed(1, 2)


def test_missing_arguments_are_named(registry):
    registry.register_module(module=type('Mine', (Base,), {}))
    with pytest.raises(TypeError, match=r'^Mine: width: expected a value, got none$'):
        registry.build(dict(type='Mine'))
    with pytest.raises(TypeError, match=r'^Mine: note: expected str or None, got 3$'):
        registry.build(dict(type='Mine', width=2, note=3))
    assert registry.build(dict(type='Mine', width=2, other=3)).width == 2


@pytest.mark.parametrize(
    'key, far, other, words',
    [
        ('share', 2, '2', 'float from 0 to 1'),
        ('side', -3, 3.0, 'int above 0 and odd or None'),
        ('sides', (3, 4), (3, '5'), 'tuple of 2 int above 0 and odd'),
        ('way', 'left', 3, r"one of \('up', 'down'\)"),
    ],
)
def test_ranges_are_value_errors(key, far, other, words):
    @checked
    class Range:
        def __init__(
            self,
            *,
            share: Annotated[float, Bounds(0, 1)] = 0.5,
            side: OddNumber | None = None,
            sides: tuple[OddNumber, OddNumber] = (3, 5),
            way: Literal['up', 'down'] = 'up',
        ) -> None: ...

    Range(**{key: {'share': 1, 'side': 7, 'sides': [1, 3], 'way': 'down'}[key]})
    with pytest.raises(ValueError, match=rf'^Range: {key}: expected {words}, got'):
        Range(**{key: far})
    with pytest.raises(TypeError, match=rf'^Range: {key}: expected {words}, got'):
        Range(**{key: other})


def test_keys_that_a_base_class_looks_for_are_named():
    cfg = dict(type='mmattn.ActionFasterRCNN', _scope_='mmdet')
    cfg.update(GIVEN['ActionFasterRCNN'], train_cfg=dict(rcn=3))
    with pytest.raises(ValueError, match=r"with the key 'rpn', got {'rcn': 3}"):
        ROOT_MODELS.build(ConfigDict(cfg))


def test_untrue_annotations_of_the_stack_are_not_believed():
    known = signature_of(find_class('mmattn.MultiLabelTSNHead')).arguments
    assert fits(['a'], known['init_cfg'].hint) is False
    assert fits([dict(type='Normal')], known['init_cfg'].hint)
    assert fits('prob', known['average_clips'].hint)
    assert not fits([], known['label_smooth_eps'].hint)


def test_keys_of_the_config_are_named():
    cfg = Config(
        dict(
            model=dict(
                type='FrameRecognizer',
                cls_head=dict(type='mmattn.TemporalLSTMHead', num_classes='5'),
            ),
            pipeline=[dict(type='Flip'), dict(type='mmattn.SampleWindows', strides=2)],
        )
    )
    with pytest.raises(TypeError, match=r"^model\.cls_head\.num_classes: .* got '5'$"):
        check_arguments(cfg)
    cfg.model.cls_head.num_classes = 5
    with pytest.raises(TypeError, match=r"^pipeline\[1\]\.strides: .* got 'strides'$"):
        check_arguments(cfg)


@pytest.mark.parametrize(
    'name, key',
    [
        ('ActionFasterRCNN', 'rpn_head'),
        ('AttentionBackbone', 'backbone'),
        ('FadeIn', 'module'),
        ('FrameRecognizer', 'cls_head'),
        ('Hourglass', 'attention'),
        ('SegmentRecognizer', 'backbone'),
        ('STBTA', 'channel_attention'),
        ('TwoStreamDataset', 'flow'),
    ],
)
def test_configs_of_components_need_a_type(name, key):
    with pytest.raises(ValueError, match=rf"^a\.{key}: .* key 'type'.*, got \{{}}$"):
        check_arguments(dict(a={'type': f'mmattn.{name}', key: {}}))


def test_classes_are_found_by_the_names_in_configs():
    assert find_class('mmattn.STBTA').__name__ == 'STBTA'
    assert find_class('STBTA') is find_class('mmdet.FasterRCNN') is None
    assert find_class('mmattn.Nothing') is None


def test_the_hosts_registries_build_checked_classes():
    cfg = dict(type='mmattn.TemporalAttention', kernel_size=3.0)
    with pytest.raises(
        TypeError, match=r'^TemporalAttention: kernel_size: .* got 3\.0'
    ):
        ROOT_MODELS.build(cfg)


def test_all_our_configs_pass():
    paths = sorted(configs_root().rglob('*.py'))
    assert len(paths) > 100
    for path in paths:
        check_arguments(Config.fromfile(path))
