"""Files of arrays that are damaged where no checksum is."""

import numpy as np
import pytest

from mmattn.utils.arrays import read_npz


def test_an_npz_that_has_lost_the_list_of_its_arrays(tmp_path):
    path = tmp_path / 'a.npz'
    np.savez(path, weights=np.ones(3))
    path.write_bytes(path.read_bytes()[:-12] + bytes(12))
    with pytest.raises(ValueError, match=r'a\.npz: expected a whole npz .* no list of'):
        read_npz(path)
    np.savez(path)
    assert read_npz(path) == {}
