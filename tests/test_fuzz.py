"""What the fuzzer starts from is right, and what it finds is not."""

import pytest
from mmengine.registry import DefaultScope
from wrong_arguments import GIVEN, PARTS, components, filled

EVERY = [(r, name) for r, name in components() if name not in PARTS]


@pytest.mark.parametrize(
    'registry, name', EVERY, ids=lambda x: x if isinstance(x, str) else x.name
)
def test_components_are_built_from_what_is_given(registry, name, tiny_data):
    options = filled(GIVEN.get(name, {}), tiny_data)
    with DefaultScope.overwrite_default_scope('mmaction'):
        assert registry.build(dict(type=f'mmattn.{name}', **options)) is not None
