"""What the fuzzer starts from is right, and what it finds is not."""

import pytest
from wrong_arguments import GIVEN, build, components, filled


@pytest.mark.parametrize(
    'registry, name', components(), ids=lambda x: x if isinstance(x, str) else x.name
)
def test_components_are_built_from_what_is_given(registry, name, tiny_data):
    options = filled(GIVEN.get(name, {}), tiny_data)
    assert build(registry, name, options) is not None
