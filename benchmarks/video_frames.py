"""Count the wrong frames of each reader on videos whose frames show their numbers.

python benchmarks/video_frames.py [--out matrix.csv]

Every codec in every container, with short, long and open groups of pictures, trimmed,
turned, cut off and so on, is read by the steps of a test pipeline: MMAction2's with
decord, OpenCV and PyAV, and ours.  Exit code 1 if ours are wrong in one frame.
"""

import argparse
import contextlib
import csv
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mmattn.testing.numbered_videos import (
    Film,
    films,
    number_of,
    numbers_in_order,
    write_film,
)
from mmattn.utils.processes import TimeLimited

READERS = {
    'decord': ('DecordInit', 'DecordDecode'),
    'OpenCV': ('OpenCVInit', 'OpenCVDecode'),
    'PyAV': ('PyAVInit', 'PyAVDecode'),
    'mmattn': ('mmattn.VideoInit', 'mmattn.VideoDecode'),
}
CLIPS = 25
PATIENCE = 30  # seconds, after which a reader hangs


class Count(NamedTuple):
    """Frames that a reader was asked for, and what became of them."""

    asked: int = 0
    wrong: int = 0
    refused: int = 0

    def __str__(self) -> str:
        parts = [f'{self.wrong}'] if self.wrong or not self.refused else []
        return ' + '.join(parts + [f'{self.refused} refused'] * bool(self.refused))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep back what FFmpeg and its encoders write past Python."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def read(reader: str, path: str) -> tuple[list[int], list[int]]:
    """Numbers of the frames that a test pipeline names, and of those it hands on."""
    from mmengine.dataset import Compose
    from mmengine.registry import init_default_scope

    init_default_scope('mmaction')
    first, last = READERS[reader]
    sampler = dict(
        type='SampleFrames',
        clip_len=1,
        frame_interval=1,
        num_clips=CLIPS,
        test_mode=True,
    )
    pipeline = Compose([dict(type=first), sampler, dict(type=last)])
    with quiet():
        results = pipeline(dict(filename=path, start_index=0, modality='RGB'))
    named = results['frame_inds'].reshape(-1).tolist()
    return named, [number_of(image) for image in results['imgs']]


def truth(path: Path, film: Film) -> list[int]:
    """Numbers that the film shows: as written, or what is left of a cut one."""
    return numbers_in_order(path) if film.extra == 'truncated' else film.numbers


def count(limited: TimeLimited, reader: str, path: Path, numbers: list[int]) -> Count:
    """Count the frames of a film that are not the ones named."""
    try:
        named, shown = limited(reader, str(path))
    except Exception:  # of any kind: each reader has its own
        return Count(CLIPS, 0, CLIPS)
    pairs = zip(named, shown, strict=True)
    right = [n < len(numbers) and numbers[n] == got for n, got in pairs]
    return Count(CLIPS, CLIPS - sum(right), 0)


def counts(folder: Path) -> Iterator[tuple[Film, dict[str, Count]]]:
    """Counts of every film by reader."""
    limited = {reader: TimeLimited(read, seconds=PATIENCE) for reader in READERS}
    for film in films():
        with quiet():
            path = write_film(folder, film)
            numbers = truth(path, film)
        yield film, {r: count(limited[r], r, path, numbers) for r in READERS}
    for each in limited.values():
        each.end()


def total(parts: list[Count]) -> Count:
    return Count(*map(sum, zip(*parts, strict=True)))


def kind(film: Film) -> str:
    """Row of the table that a film belongs to."""
    if film.extra:
        return film.extra
    return f'{film.codec} in {film.container}'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, help='csv file with a line for every film')
    args = parser.parse_args()
    rows: dict[str, list[dict[str, Count]]] = defaultdict(list)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for film, found in counts(Path(folder)):
            rows[kind(film)].append(found)
            for reader, value in found.items():
                lines.append((film.name, reader, *value))
    if args.out:
        with args.out.open('w', newline='', encoding='utf-8') as file:
            writer = csv.writer(file)
            writer.writerow(('film', 'reader', *Count._fields))
            writer.writerows(lines)
    print('| videos | films | frames | ' + ' | '.join(READERS) + ' |')
    print('|---|' + '---|' * (2 + len(READERS)))
    everything = [found for parts in rows.values() for found in parts]
    for name, parts in [*rows.items(), ('all', everything)]:
        sums = [total([found[reader] for found in parts]) for reader in READERS]
        cells = [name, len(parts), sums[0].asked, *sums]
        print('| ' + ' | '.join(map(str, cells)) + ' |')
    ours = total([found['mmattn'] for found in everything])
    return int(ours.wrong + ours.refused > 0)


if __name__ == '__main__':
    sys.exit(main())
