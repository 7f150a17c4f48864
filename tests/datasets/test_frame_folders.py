"""Which frames a folder or a zip file holds."""

import pytest
from small_files import pack
from small_files import write_frames as write

from mmattn.datasets import ActionFrameDataset
from mmattn.datasets.base import BrokenVideoError
from mmattn.datasets.frame_folders import find_frames

FLOW = 'flow_{}_{:05d}.jpg'
PIPELINE = [
    dict(type='mmattn.SampleWindows', window_frames=3),
    dict(type='RawFrameDecode'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='mmattn.PackClipInputs'),
]


@pytest.mark.parametrize('packed', [False, True])
@pytest.mark.parametrize('first', [0, 1])
def test_from_0_or_1(tmp_path, first, packed):
    folder = write(tmp_path / 'v.two', range(first, first + 12))
    (folder / 'img_7.jpg').touch()  # of somebody else
    (folder / 'thumb_00099.jpg').touch()
    found = find_frames(pack(folder) if packed else folder, 'img_{:05}.jpg')
    assert (found.folder, found.first, found.count) == (folder, first, 12)
    assert found.file(3) == folder / f'img_{3 + first:05}.jpg'


@pytest.mark.parametrize('template', ['{folder}-{1:06d}{0}.jpg', FLOW])
def test_templates_of_flow(tmp_path, template):
    name = template.replace('{folder}', 'AB {1}'.replace('{', '{{').replace('}', '}}'))
    folder = write(tmp_path / 'AB {1}', range(1, 4), name, 'xy')
    found = find_frames(folder, template, modality='Flow')
    assert (found.first, found.count) == (1, 3)
    assert found.file(2, 'y').is_file()
    found.file(2, 'y').unlink()
    with pytest.raises(BrokenVideoError, match=r'got none for 1 of them, first .*3'):
        find_frames(folder, template, modality='Flow')


@pytest.mark.parametrize(
    'numbers, message',
    [
        (
            [1, 2, 4, 7],
            r'00001\.jpg to img_00007\.jpg, got none for 3 .* img_00003\.jpg',
        ),
        ([0, 2], r'img_00000\.jpg to img_00002\.jpg, got none for 1 .* img_00001\.jpg'),
        ([5, 6], r'img_00001\.jpg to img_00006\.jpg, got none for 4 .* img_00001\.jpg'),
        ([], r'expected frames from img_00001\.jpg on, got none'),
    ],
)
def test_gaps(tmp_path, numbers, message):
    folder = write(tmp_path / 'clip', numbers)
    with pytest.raises(BrokenVideoError, match=rf'clip: .*{message}'):
        find_frames(folder, 'img_{:05}.jpg')
    (tmp_path / 'clip.zip').write_bytes(b'no zip')
    with pytest.raises(BrokenVideoError, match=r'clip\.zip: expected frames: .* zip'):
        find_frames(tmp_path / 'clip.zip', 'img_{:05}.jpg')


def dataset(tmp_path, count, **options):
    (tmp_path / 'list.txt').write_text(f'clip {count} 0\n')
    pipeline = [dict(step) for step in PIPELINE]
    pipeline[1]['io_backend'] = options.pop('io_backend', 'disk')
    return ActionFrameDataset(
        str(tmp_path / 'list.txt'),
        pipeline,
        data_prefix=dict(img=str(tmp_path)),
        test_mode=True,
        **options,
    )


@pytest.mark.parametrize('backend', ['disk', 'zip'])
def test_a_data_set_reads_all_frames_or_says_why_not(tmp_path, backend):
    folder = write(tmp_path / 'clip', range(6))
    if backend == 'zip':
        pack(folder)
    with pytest.raises(ValueError, match=r'start_index: expected 0 .*img_00000.*got 1'):
        dataset(tmp_path, 6, io_backend=backend)[0]
    item = dataset(tmp_path, 6, io_backend=backend, start_index=0)[0]
    levels = item['inputs'].float().mean(dim=(1, 2, 3)).round().tolist()
    assert levels == [0, 10, 20, 30, 40, 50]
    assert item['data_samples'].frame_inds.tolist() == list(range(6))
    with pytest.raises(BrokenVideoError, match=r'expected 7 frames, as .*00006.*got 6'):
        dataset(tmp_path, 7, io_backend=backend, start_index=0)[0]


def test_a_data_set_names_the_gap(tmp_path):
    write(tmp_path / 'clip', [1, 2, 4, 5])
    with pytest.raises(BrokenVideoError, match=r'none for 1 .*first img_00003\.jpg'):
        dataset(tmp_path, 6)[0]
    with pytest.raises(BrokenVideoError, match=r'img_00003\.jpg'):
        dataset(tmp_path, 5)[0]
