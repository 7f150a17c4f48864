"""Which videos of one's own can be used: those that are whole, and each once."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mmattn.prepare.own_videos import Clip, OwnVideos, among
from mmattn.prepare.video_check import check_sources
from mmattn.utils.progress import progress_bar

BLOCK = 1 << 20
FEW = 200


def check_own_videos(
    own: OwnVideos, journal: str | Path, *, workers: int = 2, progress: bool = True
) -> OwnVideos:
    """Leave out videos that cannot be read and those that are there twice.

    The first, the middle and the last frame of each are decoded; what the journal says
    of unchanged files is not checked again.

    Args:
        own: Videos.
        journal: File of results.
        workers: Processes that check.
        progress: Whether to show a progress bar.

    Returns:
        The videos that are left.

    Raises:
        ValueError: If the same video has two classes, or is in train and test.
    """
    clips, copies = _without_copies(own.clips)
    paths = [str(clip.path.resolve()) for clip in clips]
    if len(paths) < FEW:
        workers = 1  # to start processes takes longer
    # Paths are whole, so that a journal serves lists in any folder.
    results = check_sources('/', paths, kind='videos', journal=journal, workers=workers)
    bar = progress_bar(
        results, total=len(paths), description='check', unit='video', shown=progress
    )
    faults = {result.path: result.error for result in bar if result.error}
    good = [c for c, path in zip(clips, paths, strict=True) if path not in faults]
    notes = [*own.notes, *copies]
    notes += [f'left out, cannot be read: {path}: {faults[path]}' for path in faults]
    if not good:
        raise ValueError(
            f'{own.root}: expected readable videos, got none{among(notes)}'
        )
    return replace(own, clips=good, notes=notes)


def _without_copies(clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
    """Drop files of the same content; refuse those that contradict each other."""
    by_size = defaultdict(list)
    for clip in clips:
        by_size[clip.path.stat().st_size].append(clip)
    first: dict[str, Clip] = {}
    dropped: dict[Path, str] = {}
    for same in by_size.values():
        for clip in same if len(same) > 1 else ():
            other = first.setdefault(_digest(clip.path), clip)
            if other is clip:
                continue
            if other.label != clip.label:
                raise ValueError(
                    f'expected one class for each video, got the same video as '
                    f'{other.label!r} ({other.path}) and {clip.label!r} ({clip.path})'
                )
            if other.part != clip.part:
                raise ValueError(
                    f'expected no video both in train and val, got {other.path} and '
                    f'{clip.path}, which are the same'
                )
            dropped[clip.path] = f'left out, the same as {other.path}: {clip.path}'
    return [c for c in clips if c.path not in dropped], list(dropped.values())


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open('rb') as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except PermissionError:
        return str(path)  # the check of videos names it
    return digest.hexdigest()
