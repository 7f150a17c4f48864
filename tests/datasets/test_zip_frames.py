"""Frames in one file per video."""

import multiprocessing
from zipfile import ZipFile

import pytest

from mmattn.datasets import ZipFrames


@pytest.fixture
def root(tmp_path):
    for name in ('a', 'b.c'):
        with ZipFile(tmp_path / f'{name}.zip', 'w') as file:
            file.writestr('x_1.jpg', name * 999)
            file.writestr('note.txt', 'ä')
    return tmp_path


def test_reads_from_several_files(root):
    backend = ZipFrames()
    for name in ('a', 'b.c', 'a', 'a'):
        assert backend.get(root / name / 'x_1.jpg') == (name * 999).encode()
    assert backend.get_text(str(root / 'b.c' / 'note.txt')) == 'ä'


def test_missing_and_broken(root):
    backend = ZipFrames()
    with pytest.raises(OSError, match=r'expected x_2\.jpg in .*a\.zip'):
        backend.get(root / 'a' / 'x_2.jpg')
    with pytest.raises(FileNotFoundError):
        backend.get(root / 'c' / 'x_1.jpg')
    (root / 'd.zip').write_text('no zip')
    with pytest.raises(OSError, match=r'expected x_1\.jpg in .*d\.zip'):
        backend.get(root / 'd' / 'x_1.jpg')
    assert backend.get(root / 'a' / 'x_1.jpg').startswith(b'a')


def read_often(backend, path, queue):
    queue.put({backend.get(path)[:3] for _ in range(200)})


def test_forked_processes_do_not_disturb_each_other(root):
    backend, path = ZipFrames(), root / 'b.c' / 'x_1.jpg'
    backend.get(path)
    context = multiprocessing.get_context('fork')
    queue = context.SimpleQueue()
    processes = [
        context.Process(target=read_often, args=(backend, path, queue))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    assert [queue.get() for _ in processes] == [{b'b.c'}] * 2
    for process in processes:
        process.join()
        assert process.exitcode == 0
