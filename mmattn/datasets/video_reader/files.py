"""Which files are taken for videos when a folder is searched."""

from collections.abc import Iterable
from mimetypes import guess_type
from pathlib import Path

VIDEO_SUFFIXES = (
    '.3g2',
    '.3gp',
    '.asf',
    '.avi',
    '.divx',
    '.f4v',
    '.flv',
    '.m2ts',
    '.m2v',
    '.m4v',
    '.mkv',
    '.mov',
    '.mp4',
    '.mpe',
    '.mpeg',
    '.mpg',
    '.mts',
    '.mxf',
    '.ogv',
    '.qt',
    '.rm',
    '.rmvb',
    '.ts',
    '.vob',
    '.webm',
    '.wmv',
)
SHOWN = 5


def is_video(path: Path) -> bool:
    """Say whether a name ends as those of videos do.

    Args:
        path: The file.

    Example:
        >>> is_video(Path('a.MP4')), is_video(Path('a.txt'))
        (True, False)
    """
    return path.suffix.lower() in VIDEO_SUFFIXES


def looks_like_video(path: Path) -> bool:
    """Say whether a file that is not taken for a video may be one all the same.

    Args:
        path: The file.

    Example:
        >>> names = 'a.mp4.part', 'a.MP4', 'a.mp4.txt', 'a.dv', 'mp4'
        >>> [looks_like_video(Path(name)) for name in names]
        [True, False, False, True, False]
    """
    if is_video(path) or not path.suffix:
        return False
    kind, _ = guess_type(path.name)
    inner = kind is None and any(s.lower() in VIDEO_SUFFIXES for s in path.suffixes)
    return inner or (kind or '').startswith('video/')


def describe_files(paths: Iterable[Path]) -> str:
    """Name some files that were skipped, for a message.

    Args:
        paths: Files and folders.

    Example:
        >>> describe_files([])
        'no file'
    """
    names = sorted(path.name for path in paths if path.is_file())
    more = [f'{len(names) - SHOWN} more'] if len(names) > SHOWN else []
    return ', '.join(names[:SHOWN] + more) or 'no file'
