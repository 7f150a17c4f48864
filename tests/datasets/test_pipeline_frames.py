"""Every pipeline of our configs hands on the frames that it has sampled, by number."""

import json
from functools import partial

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import Compose

from mmattn.datasets.base import run_steps
from mmattn.prepare.flow_extraction import FlowOptions, extract_flow
from mmattn.testing.numbered_videos import (
    Film,
    number_of,
    write_film,
)
from mmattn.utils.configs import configs_root

DECODE = 'mmattn.VideoDecode'
HARD = (
    Film('h264', 'avi'),
    Film('mpeg4', 'avi'),
    Film('mpeg2', 'mpg', 'open'),
    Film('h264', 'ts'),
    Film('wmv2', 'wmv', b_frames=False),
    Film('h264', 'mp4', extra='trimmed'),
    Film('av1', 'mp4'),
)


def pipelines():
    """Steps up to the decoding one, and the one after, of each pipeline once."""
    found = {}
    for path in sorted(configs_root().rglob('*.py')):
        cfg = Config.fromfile(path)
        lists = [cfg.get('test_pipeline')]
        for kind in ('train', 'val', 'test'):
            loader = cfg.get(f'{kind}_dataloader') or {}
            lists.append(loader.get('dataset', {}).get('pipeline'))
        for steps in filter(None, lists):
            types = [step['type'] for step in steps]
            assert not {'DecordInit', 'DecordDecode', 'OpenCVInit'} & set(types), path
            if DECODE in types:
                part = [dict(step) for step in steps[: types.index(DECODE) + 2]]
                if part[-1]['type'] != 'Resize':
                    part.pop()
                found.setdefault(json.dumps(part, default=str), part)
    return list(found.values())


PIPELINES = pipelines()


def name_of(steps):
    return '-'.join(
        str(step.get('clip_len', step.get('window_frames', ''))) or step['type']
        for step in steps[1:]
    )


def sample(path):
    return dict(filename=str(path), start_index=0, modality='RGB', label=0, timestamp=1)


def test_there_are_pipelines():
    assert len(PIPELINES) >= 10
    assert {steps[-1]['type'] for steps in PIPELINES} >= {'Resize'}


@pytest.mark.parametrize('steps', PIPELINES, ids=name_of)
def test_frames_are_those_sampled(films_folder, steps):
    pipeline = Compose(steps)
    different = set()
    for seed, film in enumerate(HARD):
        # In turn as the host runs them, and as our data sets and tools do.
        run = pipeline if seed % 2 else partial(run_steps, pipeline.transforms)
        np.random.seed(seed)
        results = run(sample(write_film(films_folder, film)))
        numbers = np.asarray(results['frame_inds']).reshape(-1)
        shown = [number_of(image) for image in results['imgs']]
        assert shown == [film.numbers[n] for n in numbers], film.name
        different.update(numbers.tolist())
    assert len(different) > 1


@pytest.fixture(scope='module')
def stored(films_folder, tmp_path_factory):
    """Folder of a few films, and of their flow as the tool stores it."""
    root = tmp_path_factory.mktemp('flow')
    (root / 'videos').mkdir()
    for film in HARD:
        name = film.name.replace('.', '-')  # names may differ by more than the ending
        path = write_film(films_folder, film)
        (root / 'videos' / f'{name}.{film.container}').symlink_to(path)
    options = FlowOptions('farneback')
    report = extract_flow(root / 'videos', root / 'flow', options, workers=1)
    assert report.broken == []
    return root


@pytest.mark.parametrize('film', HARD, ids=lambda film: film.name)
def test_flow_on_the_fly_is_stored_flow_less_jpg(films_folder, stored, film):
    folder = stored / 'flow' / film.name.replace('.', '-')
    sampler = dict(type='SampleFrames', clip_len=5, num_clips=4, test_mode=True)
    results = Compose(
        [
            dict(type='mmattn.FlowInit'),
            sampler,
            dict(type='mmattn.ComputeFlow', method='farneback'),
        ]
    )(sample(write_film(films_folder, film)))
    read = Compose([sampler, dict(type='RawFrameDecode')])(
        dict(
            frame_dir=str(folder),
            total_frames=len(film.numbers) - 1,
            filename_tmpl='flow_{}_{:05d}.jpg',
            start_index=1,
            modality='Flow',
        )
    )
    numbers = np.asarray(results['frame_inds']).reshape(-1)
    assert (numbers + 1).tolist() == read['frame_inds'].reshape(-1).tolist()
    loss = jpg_loss(results['imgs'])
    for number, field, image in zip(
        numbers, results['imgs'], read['imgs'], strict=True
    ):
        assert np.abs(field.astype(int) - image).mean() <= loss, number
    assert len({field.tobytes() for field in results['imgs']}) == len(set(numbers))


def jpg_loss(fields):
    """Most that writing and reading a field as jpg changes it, on average."""

    def loss(image):
        _, content = cv2.imencode('.jpg', np.ascontiguousarray(image))
        return np.abs(cv2.imdecode(content, 0).astype(int) - image).mean()

    return max(loss(field[..., axis]) for field in fields for axis in (0, 1)) + 1e-9
