"""What an installation without mmdet has of the RoI heads."""

import importlib.util

import pytest

from mmattn.registry import MODELS

has_mmdet = importlib.util.find_spec('mmdet') is not None


@pytest.mark.skipif(has_mmdet, reason='mmdet is installed')
@pytest.mark.parametrize(
    'name', ['ActionBBoxHead', 'ActionRoIHead', 'ActionFasterRCNN']
)
def test_heads_say_how_to_install_it(name):
    with pytest.raises(ImportError, match='Action detection needs mmdet: pip install'):
        MODELS.build(dict(type=f'mmattn.{name}', in_channels=3))
    assert MODELS.get('mmattn.SlowFastSharedHead') is not None
