"""Which videos does decord, and with it every MMAction2 config, read wrongly?"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from mmattn.datasets.video_reader import (
    VIDEO_SUFFIXES,
    VideoError,
    VideoReader,
    open_video,
    probe,
)
from mmattn.utils.files import write_csv, write_json
from mmattn.utils.journal import file_state, remembered
from mmattn.utils.processes import TimeLimited
from mmattn.utils.progress import progress_bar
from mmattn.utils.text import read_lines

VERDICTS = {
    'right': 'decord hands on the frames that were asked for',
    'wrong': 'decord hands on other frames, without a message',
    'refused': 'decord cannot read it, PyAV can',
    'hangs': 'decord does not come back, PyAV can read it',
    'crashes': 'decord ends the process, PyAV can read it',
    'suspect': 'decord may hand on other frames, by the kind of file (--quick)',
    'misread': 'mmattn itself hands on other frames: please report this file',
    'broken': 'no reader can read it to its end',
    'missing': 'the list names it, but there is no such file',
}
SIDE = 24  # of the small images by which frames are recognized
SAME = 0.05  # gray levels by which two readers' images of one frame may differ
LEVELS = 256  # steps of a gray level that small images keep
PATIENCE = 10  # times the duration of decoding everything, after which decord hangs


@dataclass
class VideoCheck:
    """What is known of a video.

    Args:
        path: The file.
        verdict: Key of ``VERDICTS``.
        wrong: Frames among those asked for that are others.
        asked: Frames asked for.
        frames: Frames of the video, 0 where nobody counted.
        seconds_off: Greatest distance between the frame that decord has handed on and
            that which was asked for, in seconds.
        codec: FFmpeg's name.
        container: FFmpeg's name.
        reason: Why, in words.
    """

    path: str
    verdict: str
    wrong: int = 0
    asked: int = 0
    frames: int = 0
    seconds_off: float = 0.0
    codec: str = ''
    container: str = ''
    reason: str = ''

    def __str__(self) -> str:
        parts = [f'{self.verdict}: {self.path}']
        if self.wrong:
            parts.append(
                f'{self.wrong} of {self.asked} frames, up to {self.seconds_off:g} s off'
            )
        return ': '.join(filter(None, [*parts, self.reason]))


def find_videos(
    source: str | Path, prefix: str | Path | None = None
) -> tuple[list[str], list[str]]:
    """Return the videos of a list or of a folder.

    A line of a list is a path, perhaps with labels, numbers of frames or other fields
    behind it, divided by blanks, tabs or commas.  Where no file is called as the line,
    its last fields are cut off until one is.

    Args:
        source: Folder, searched with its subfolders, text file, or one video.
        prefix: Folder before the paths of a list; that of the list where it is None.

    Returns:
        The videos, and files of a folder that are none by their ending.

    Raises:
        ValueError: If there is nothing to check.
    """
    source, skipped = Path(source), []
    if source.is_dir():
        files = sorted(str(path) for path in source.rglob('*') if path.is_file())
        paths = [path for path in files if _is_video(path)]
        skipped = [path for path in files if not _is_video(path)]
    elif not source.is_file():
        raise ValueError(f'expected a list, a folder or a video, got no file {source}')
    elif _is_video(source):
        paths = [str(source)]
    else:
        root = source.parent if prefix is None else Path(prefix)
        lines = read_lines(source)
        paths = [str(root / _named(root, line)) for line in lines if line.strip()]
    if not paths:
        raise ValueError(
            f'{source}: expected videos ({" ".join(VIDEO_SUFFIXES)}), got none'
        )
    return list(dict.fromkeys(paths)), skipped


def check_videos(
    paths: Sequence[str],
    journal: str | Path,
    *,
    clips: int = 25,
    quick: bool = False,
    workers: int = 2,
    progress: bool = True,
) -> list[VideoCheck]:
    """Check videos in parallel; what the journal says of an unchanged file stays.

    Args:
        paths: The videos.
        journal: File that remembers results.
        clips: Spaced frames to ask decord for, as a test pipeline of MMAction2 does;
            0 asks for every frame.
        quick: Whether to judge by the kind of file alone, decoding one frame.
        workers: Processes.
        progress: Whether to show a progress bar.

    Returns:
        The results in the order of the paths.

    Raises:
        ValueError: If ``clips`` is negative, or decord is missing and ``quick`` is not
            set.

    Example:
        >>> import tempfile
        >>> from mmattn.testing.numbered_videos import Film, write_film
        >>> folder = tempfile.mkdtemp()
        >>> video = write_film(folder, Film('h264', 'avi', b_frames=True))
        >>> (check,) = check_videos(
        ...     [str(video)], video.with_suffix('.jsonl'), workers=1, progress=False)
        >>> check.verdict, check.asked, check.wrong > 9
        ('wrong', 25, True)
    """
    if clips < 0:
        raise ValueError(f'clips: expected 0 or more, got {clips}')
    if not quick and not find_spec('decord'):
        raise ValueError('expected decord, got no such package; --quick needs none')
    checks = {path: VideoCheck(path, 'missing') for path in paths}
    keys = [
        [path, clips, quick, *file_state(Path(path))]
        for path in checks
        if Path(path).is_file()
    ]
    results = remembered(_check, keys, journal, workers=workers)
    bar = progress_bar(results, total=len(keys), unit='video', shown=progress)
    for key, values in bar:
        checks[key[0]] = VideoCheck(*values)
    return list(checks.values())


def summary(checks: Iterable[VideoCheck]) -> str:
    """Return how many videos there are of each verdict, and of which kind they are."""
    checks = list(checks)
    lines = []
    for verdict, meaning in VERDICTS.items():
        chosen = [check for check in checks if check.verdict == verdict]
        if not chosen:
            continue
        lines.append(f'{len(chosen):>6} {verdict:<8} {meaning}')
        kinds = Counter((check.codec, check.container) for check in chosen)
        lines += [
            f'{count:>15} {codec} in {container.split(",")[0]}'
            for (codec, container), count in kinds.most_common()
            if codec
        ]
    wrong = sum(check.wrong for check in checks)
    asked = sum(check.asked for check in checks)
    if asked:
        lines.append(f'{wrong} of {asked} frames are others than asked for')
    return '\n'.join(lines)


def write_report(path: Path, checks: Iterable[VideoCheck]) -> None:
    """Write all results.

    Args:
        path: File to write, json if it ends so, else csv.
        checks: The results.
    """
    rows = [asdict(check) for check in checks]
    if path.suffix.lower() == '.json':
        write_json(path, rows)
    else:
        header = [field.name for field in fields(VideoCheck)]
        write_csv(path, [header, *(row.values() for row in rows)])


def _is_video(path: str | Path) -> bool:
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][-300:]


def _named(root: Path, line: str) -> str:
    """Return the part of a line that names a file, or its first field."""
    rest = line.strip()
    while rest and not (root / rest).is_file():
        cut = max(rest.rfind(divider) for divider in ' \t,')
        rest = rest[:cut].rstrip() if cut > 0 else ''
    return rest or line.replace(',', ' ').split()[0]


def _check(key: list) -> list:
    path, clips, quick = key[:3]
    check = VideoCheck(path, 'right')
    try:
        with open_video(path, whole=True) as reader:
            known = probe(path)
            check.codec, check.container = known.codec, known.container
            check.reason = known.reason
            if quick:
                check.verdict = 'right' if known.decord_is_right else 'suspect'
            else:
                _compare(reader, check, clips)
    except VideoError as error:
        check.verdict = 'broken'
        check.reason = _first_line(error).removeprefix(f'{path}: ')
    return list(asdict(check).values())


def _compare(reader: VideoReader, check: VideoCheck, clips: int) -> None:
    """Compare what decord and our reader hand on with decoding in order."""
    with open_video(check.path, backend='av') as whole:
        shown = np.stack([_small(frame) for frame in whole.frames()])
        seconds = whole.seconds
    check.frames = len(shown)
    numbers = _numbers(len(shown), clips)
    ours = _all_small(reader, numbers)
    if any(
        _shows(image, shown, n) != n for n, image in zip(numbers, ours, strict=True)
    ):
        check.verdict = 'misread'
        return
    _DECORD.seconds = max(30, PATIENCE * len(shown) / 25)
    try:
        numbers, theirs = _DECORD(check.path, clips)
    except TimeoutError:
        check.verdict = 'hangs'
        return
    except ChildProcessError:
        check.verdict = 'crashes'
        return
    except VideoError as error:
        check.verdict, check.reason = 'refused', _first_line(error)
        return
    check.asked = len(numbers)
    for number, image in zip(numbers, theirs, strict=True):
        got = _shows(image, shown, number)
        if got != number:
            check.wrong += 1
            last = min(number, len(seconds) - 1)
            off = abs(float(seconds[got] - seconds[last]))
            check.seconds_off = round(max(check.seconds_off, off), 3)
    check.verdict = 'wrong' if check.wrong else 'right'


def _by_decord(path: str, clips: int) -> tuple[list[int], np.ndarray]:
    """Numbers and small images of frames, read as MMAction2's steps read them."""
    with open_video(path, backend='decord') as reader:
        numbers = _numbers(len(reader), clips)
        return numbers, _all_small(reader, numbers)


_DECORD = TimeLimited(_by_decord, seconds=30)  # one for each worker


def _numbers(count: int, clips: int) -> list[int]:
    """Frames in the middles of equal parts, as ``SampleFrames`` takes for testing."""
    if clips < 1:
        return list(range(count))
    return [int(count / clips * (i + 0.5)) for i in range(clips)]


def _all_small(reader: VideoReader, numbers: list[int]) -> np.ndarray:
    """Small images of frames, a few large ones in memory at a time."""
    parts = [numbers[start : start + 16] for start in range(0, len(numbers), 16)]
    return np.stack([_small(image) for part in parts for image in reader.read(part)])


def _small(image: np.ndarray) -> np.ndarray:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint16) * LEVELS
    return cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _shows(image: np.ndarray, shown: np.ndarray, number: int) -> int:
    """Return which frame an image is: the number asked for if it is as good as any."""
    if number < len(shown):
        distance = np.abs(shown[number].astype(np.int32) - image).mean()
        if distance <= SAME * LEVELS:
            return number
    distances = np.abs(shown.astype(np.int32) - image).mean(axis=(1, 2))
    best = int(distances.argmin())
    if number < len(shown) and distance <= distances[best] + SAME * LEVELS:
        return number
    return best
