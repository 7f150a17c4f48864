"""Labeled clips to compare systems on."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mmattn.prepare.own_videos import Clip, read_own_videos


def read_clips(data: str | Path) -> list[Clip]:
    r"""Read which clips there are.

    Args:
        data: See :func:`mmattn.prepare.own_videos.read_own_videos`; a split into parts
            for training and test is not heeded.

    Raises:
        FileNotFoundError: If ``data`` or a video is missing.
        ValueError: If a line lacks its path or label, a video is listed twice, some
            clips have a group and others have none, or there are fewer than two classes
            or two clips of one.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ('a.mp4', 'b.mp4', 'c.mp4', 'd.mp4'):
        ...     (folder / name).touch()
        >>> table = folder / 'labels.csv'
        >>> _ = table.write_text('path,label\na.mp4,x\nb.mp4,y\nc.mp4,x\nd.mp4,y\n')
        >>> [clip.label for clip in read_clips(folder)]
        ['x', 'y', 'x', 'y']
    """
    clips = read_own_videos(data).clips
    counts = Counter(clip.label for clip in clips)
    if len(counts) < 2:
        raise ValueError(
            f'{data}: expected clips of two or more classes, got {dict(counts)}'
        )
    rare = [label for label, count in counts.items() if count < 2]
    if rare:
        raise ValueError(
            f'{data}: expected two or more clips of a class, got 1 of {rare[0]}'
        )
    return clips


def group_names(clips: Sequence[Clip]) -> list[str]:
    """Name of each clip's group; its own path where groups are not known.

    Args:
        clips: The clips, all with a group or all without.
    """
    return [clip.group or str(clip.path) for clip in clips]
