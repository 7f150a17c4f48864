"""Damaged files for all readers."""

import contextlib
import json
import math
import pickle
import random
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.registry import DefaultScope

from mmattn.attention.records import AttentionRecord, AttentionRecords
from mmattn.datasets import ActionVideoDataset, FeatureDataset
from mmattn.datasets.ava import (
    read_annotations,
    read_detections,
    read_frames,
    read_label_map,
)
from mmattn.datasets.charades import read_charades
from mmattn.datasets.proposals import load_proposals, save_proposals
from mmattn.datasets.transforms.features import open_features
from mmattn.datasets.video_reader import open_video
from mmattn.evaluation import AttentionQuality
from mmattn.evaluation.functional.charades import load_submission
from mmattn.evaluation.functional.fusion import load_scores
from mmattn.models.weights.pretrained import read_weights
from mmattn.prepare.archives import unpack
from mmattn.prepare.hmdb51_subset import read_split
from mmattn.reports.splits import read_run
from mmattn.utils.text import read_class_names
from mmattn.visualization.export import load_records, save_records
from mmattn.visualization.loss_curve import read_losses

NUMBER = re.compile(rb'-?\d+(?:\.\d+)?')


class Reader(NamedTuple):
    """A reader, and a file that it reads.

    Args:
        write: Writes the file, given its path.
        read: Reads it; gives something that ``==`` can compare.
        is_checked: Whether the format has checksums, so that nothing else can be read.
        items: Things that the file tells of, as counted without the reader; a reading
            with fewer has dropped some in silence.
    """

    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    is_checked: bool = False
    items: Callable[[str], int] | None = None


class Case(NamedTuple):
    """A damaged file."""

    name: str
    damage: str
    seed: int

    def __str__(self) -> str:
        return f'{self.name}, {self.damage}, seed {self.seed}'


def text(*lines: str) -> Callable[[Path], Any]:
    return lambda path: path.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def plain(value: Any) -> Any:
    """What a reader gives, so that it can be compared."""
    if isinstance(value, (np.ndarray, torch.Tensor)):
        array = np.asarray(value)
        return str(array.dtype), array.shape, array.tobytes()
    if isinstance(value, dict):
        return {key: plain(x) for key, x in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(plain, value))
    if isinstance(value, (list, tuple)):
        return [plain(x) for x in value]
    return plain(vars(value)) if hasattr(value, '__dict__') else value


def write_scores(path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = [
        dict(
            video_id=f'clip_{n}',
            pred_score=torch.from_numpy(rng.random(3, np.float32)),
            gt_label=torch.tensor([n % 3]),
        )
        for n in range(4)
    ]
    path.write_bytes(pickle.dumps(samples))


def attention() -> AttentionRecords:
    maps = torch.arange(24.0).view(2, 3, 4) / 24
    frames = torch.arange(8).view(2, 4)
    axes = ('row', 'step', 'frame')
    record = AttentionRecord('head.w', maps, axes, (0, 1), frames=frames)
    return AttentionRecords([record])


def write_attention(path: Path) -> None:
    save_records(attention(), path)


def read_ground_truth(path: Path) -> Any:
    quality = AttentionQuality(str(path.parent))
    return quality._truth({'video_id': path.stem})


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        file.writestr('top/run/a.avi', bytes(range(256)) * 4)
        file.writestr('top/walk/b.avi', b'b' * 300)


def read_unpacked(path: Path) -> Any:
    out = path.with_name('out')
    unpack(path, out)
    files = sorted(x for x in out.rglob('*') if x.is_file() and x.name != '.unpacked')
    outside = [x for x in path.parent.iterdir() if x not in (path, out)]
    assert not outside, f'written outside: {outside}'
    return [(str(x.relative_to(out)), x.read_bytes()) for x in files]


def read_list(kind: type, path: Path, **options: Any) -> Any:
    with DefaultScope.overwrite_default_scope('mmaction'):
        data = kind(str(path), [], **options)
        return [data.get_data_info(n) for n in range(len(data))]


def read_video(path: Path) -> Any:
    with open_video(path) as reader:
        return len(reader), list(reader.frames())


def lines(content: str) -> int:
    return sum(bool(line.strip(' \t;,')) for line in content.splitlines())


BOX_LINES = ('a,3,0.1,0.2,0.5,0.9,4,0', 'a,3,0.2,0.2,0.5,0.9,5,1', 'b,4', 'c,5')
PROPOSALS = {
    'a,0003': np.array([[0.1, 0.2, 0.5, 0.9, 0.75]]),
    'b,0004': np.zeros((0, 5)),
    'c,0005': np.array([[0.0, 0.0, 1.0, 1.0, 0.5], [0.2, 0.2, 0.3, 0.4, 0.25]]),
}
SCALARS = [
    json.dumps(dict(lr=0.1, loss=3.0 - n / 10, epoch=1 + n // 3, step=n))
    for n in range(6)
]


def write_video(data: Path, path: Path) -> None:
    shutil.copy(data / 'videos' / 'clip_0.mp4', path)


def readers(data: Path) -> dict[str, Reader]:
    """Readers by the names of files, of which the ending matters."""
    video = partial(read_list, ActionVideoDataset, num_classes=7)
    several = partial(read_list, ActionVideoDataset, num_classes=7, multi_class=True)
    tabs = partial(read_list, ActionVideoDataset, num_classes=7, delimiter='\t')
    features = partial(read_list, FeatureDataset, num_classes=7)
    actions = 'id,actions,length', 'A1,c001 0.00 3.00;c004 1.0 2.0,9.5', 'B2,,4.25'
    return {
        'scores.pkl': Reader(write_scores, load_scores),
        'proposals.json': Reader(partial(save_proposals, PROPOSALS), load_proposals),
        'proposals.npz': Reader(
            partial(save_proposals, PROPOSALS), load_proposals, is_checked=True
        ),
        'proposals.pkl': Reader(
            lambda path: path.write_bytes(pickle.dumps(PROPOSALS)), load_proposals
        ),
        'attention.json': Reader(write_attention, load_records),
        'attention.npz': Reader(write_attention, load_records, is_checked=True),
        'truth.npz': Reader(
            lambda path: np.savez_compressed(
                path, boxes=np.ones((3, 4)), key=[0, 1, 0]
            ),
            read_ground_truth,
            is_checked=True,
        ),
        'map.pbtxt': Reader(
            text(
                'item {',
                '  name: "walk"',
                '  id: 1',
                '}',
                'item { id: 2 name: "run" }',
                'item { name: "jump" id: 3 }',
            ),
            read_label_map,
            items=lambda content: len(re.findall('walk|run|jump', content)),
        ),
        'names.txt': Reader(
            text('walk', 'run', 'jump'), partial(read_class_names, num_classes=3)
        ),
        'truth.csv': Reader(text(*BOX_LINES), read_annotations, items=lines),
        'found.csv': Reader(
            text('a,3,0.1,0.2,0.5,0.9,4,0.25', 'b,3,0.2,0.2,0.5,0.9,5,0.5'),
            read_detections,
            items=lines,
        ),
        'frames.csv': Reader(text('a,3', 'b,0904'), read_frames),
        'videos.txt': Reader(text('a.mp4 3', 'c.mp4 0'), video, items=lines),
        'several.txt': Reader(text('a.mp4 3 1', 'c.mp4 0'), several, items=lines),
        'tabs.txt': Reader(text('a b.mp4\t3', 'c.mp4\t0'), tabs, items=lines),
        'features.txt': Reader(text('a 3', 'c 0'), features, items=lines),
        'charades.csv': Reader(text(*actions), read_charades),
        'submission.txt': Reader(
            text('A1 0.5 0.25 1', 'B2 0.125 0 0.5'),
            partial(load_submission, num_classes=3),
            items=lines,
        ),
        'split.txt': Reader(text('a.avi 1', 'b.avi 2', 'c.avi 0'), read_split),
        'scalars.json': Reader(text(*SCALARS), read_losses),
        'report.json': Reader(
            text(json.dumps(dict(rgb=dict(top1=0.5, top5=1.0, mean_class=0.25)))),
            read_run,
        ),
        'features.npy': Reader(
            lambda path: np.save(path, np.ones((3, 4), np.float32)),
            lambda path: np.array(open_features(str(path))),
        ),
        'weights.pth': Reader(
            lambda path: torch.save(dict(state_dict=dict(w=torch.ones(3))), path),
            lambda path: read_weights(str(path)),
            is_checked=True,
        ),
        'videos.zip': Reader(write_zip, read_unpacked, is_checked=True),
        'clip.mp4': Reader(partial(write_video, data), read_video),
    }


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def drop(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + content[start + rng.randint(1, 40) :]


def insert(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + rng.randbytes(rng.randint(1, 9)) + content[start:]


def zeros(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + bytes(20) + content[start + 20 :]


def latin(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + 'Müß'.encode('latin-1') + content[start:]


def utf16(content: bytes, rng: random.Random) -> bytes:
    return content.decode('latin-1').encode('utf-16')


def number(content: bytes, rng: random.Random) -> bytes:
    """Another number, or a word, in place of a number."""
    places = list(NUMBER.finditer(content))
    if not places:
        return cut(content, rng)
    place = rng.choice(places)
    new = rng.choice((b'nan', b'inf', b'-1', b'1e99', b'99999999999999999999', b'word'))
    return content[: place.start()] + new + content[place.end() :]


def line_twice(content: bytes, rng: random.Random) -> bytes:
    parts = content.splitlines(keepends=True)
    place = rng.randrange(len(parts))
    return b''.join(parts[: place + 1] + parts[place:])


def bracket(content: bytes, rng: random.Random) -> bytes:
    """A bracket, quote or delimiter less."""
    places = [n for n, byte in enumerate(content) if byte in b'{}[]",;: ']
    if not places:
        return cut(content, rng)
    place = rng.choice(places)
    return content[:place] + content[place + 1 :]


def empty(content: bytes, rng: random.Random) -> bytes:
    return b''


def other(content: bytes, rng: random.Random) -> bytes:
    """Content of another format."""
    return rng.choice(
        (
            b'{}', b'[]', b'null', b'3', b'"word"', b'[[1, 2], 3]', b'{"a": {"b": 3}}',
            pickle.dumps({}), pickle.dumps([{}]), pickle.dumps('word'), b'PK\x03\x04',
            pickle.dumps([dict(video_id=[1], pred_score='word', gt_label=None)]),
            pickle.dumps([dict(video_id='a', pred_score=[[1]], gt_label='b')]),
            pickle.dumps({'a,3': 'word'}), pickle.dumps({3: [[1, 2, 3, 4]]}),
            b'\n\n\n', b' ', b'\x93NUMPY\x01\x00', b'<html></html>',
        )
    )  # fmt: skip


DAMAGES = {
    damage.__name__: damage
    for damage in (
        cut, flip, drop, insert, zeros, latin, utf16, number, line_twice, bracket,
        empty, other,
    )
}  # fmt: skip
_DATA: dict[str, Path] = {}


def cases(seed: int, count: int, data: Path) -> list[Case]:
    """Readers in turn, each with a file damaged in some way.

    What is drawn for a reader depends on no other.
    """
    _DATA['data'] = data
    names = list(readers(data))
    made = []
    for number in range(count):
        name = names[number % len(names)]
        rng = random.Random(f'{seed} {name} {number // len(names)}')
        made.append(Case(name, rng.choice(list(DAMAGES)), rng.randrange(2**32)))
    return made


def outcome(case: Case) -> str:
    """Damage, read, and name what comes of it; bad outcomes start with BAD."""
    reader = readers(_DATA['data'])[case.name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, case.name)
        reader.write(path)
        expected, content = plain(read_whole(reader, path)), path.read_bytes()
        damaged = DAMAGES[case.damage](content, random.Random(case.seed))
        path.write_bytes(damaged)
        try:
            found = plain(reader.read(path))
        except Exception as error:
            return judged(error, case.name)
        if found == expected:
            return 'read right'
        if reader.is_checked:
            return 'BAD: read as another in spite of checksums'
        return judged_reading(reader, found, damaged)


def read_whole(reader: Reader, path: Path) -> Any:
    found = reader.read(path)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path.with_name('out'))
    return found


def judged(error: Exception, name: str) -> str:
    words = str(error)
    kinds = (ValueError, TypeError, FileNotFoundError, RuntimeError)
    stem = name.rpartition('.')[0]
    if isinstance(error, kinds) and 'expected' in words and stem in words:
        return 'named'
    if type(error).__module__.startswith('mmattn') and stem in words:
        return 'named'
    return f'BAD: unclear {type(error).__name__}: {words[:150]}'


def judged_reading(reader: Reader, found: Any, damaged: bytes) -> str:
    if not all(map(is_finite, numbers_in(found))):
        return 'BAD: a number that is not finite'
    if reader.items and isinstance(found, (list, dict)):
        told = reader.items(damaged.decode('utf-8-sig'))
        if len(found) < told:
            return f'BAD: {len(found)} of {told} items'
    return 'read as the other thing it says'


def is_finite(value: float) -> bool:
    return math.isfinite(value)


def numbers_in(node: Any) -> list[float]:
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        return [value for part in node for value in numbers_in(part)]
    if isinstance(node, tuple) and len(node) == 3 and isinstance(node[2], bytes):
        if node[0].startswith('float'):
            return np.frombuffer(node[2], node[0]).tolist()
        return []
    return [node] if isinstance(node, float) else []
