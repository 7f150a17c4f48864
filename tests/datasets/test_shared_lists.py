"""The lines of a list are one array, of which workers make no copies."""

import gc

import numpy as np
import pytest
from mmengine.registry import DATASETS

from mmattn.datasets.base import without_collector


def videos(folder, lines):
    path = folder / f'videos_{lines}.txt'
    path.write_text(''.join(f'a/{n}.mp4 {n % 3}\n' for n in range(lines)))
    return dict(type='mmattn.ActionVideoDataset', ann_file=str(path), pipeline=[])


def frames(folder, lines):
    path = folder / f'frames_{lines}.txt'
    path.write_text(''.join(f'a/{n} 30 {n % 3}\n' for n in range(lines)))
    return dict(type='mmattn.ActionFrameDataset', ann_file=str(path), pipeline=[])


def two_streams(folder, lines):
    rgb = dict(videos(folder, lines), test_mode=True)
    flow = dict(frames(folder, lines), test_mode=True, modality='Flow')
    return dict(type='mmattn.TwoStreamDataset', rgb=rgb, flow=flow)


def detection(folder, lines):
    path = folder / f'ava_{lines}.csv'
    rows = [f'v{n},{902 + n % 50:04d},0.1,0.1,0.5,0.5,1,0\n' for n in range(lines)]
    path.write_text(''.join(rows))
    boxes = {f'v{n},{902 + n % 50:04d}': np.ones((3, 5)) for n in range(lines)}
    np.savez(folder / f'boxes_{lines}.npz', **boxes)
    return dict(
        type='mmattn.ActionDetectionDataset',
        ann_file=str(path),
        proposal_file=str(folder / f'boxes_{lines}.npz'),
        pipeline=[],
    )


@pytest.mark.parametrize('config', [videos, frames, two_streams, detection])
def test_objects_do_not_grow_with_the_list(tmp_path, config):
    """Python objects would be copied to each worker, as references are counted."""

    def kept(lines):
        dataset = DATASETS.build(config(tmp_path, lines))
        assert len(dataset) == lines
        assert gc.isenabled()
        seen, open_ones = {}, [dataset]
        while open_ones:
            found = open_ones.pop()
            if id(found) not in seen and not isinstance(found, (type, type(gc))):
                seen[id(found)] = found
                open_ones += gc.get_referents(getattr(found, '__dict__', found))
        return len(seen)

    kept(10)  # what is made once
    assert abs(kept(200) - kept(10)) < 60


def test_collector_stays_off_where_it_was():
    gc.disable()
    try:
        with without_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
