"""HTML of the report on a test."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from string import Template


@dataclass(frozen=True)
class ClassRow:
    """One class.

    Args:
        name: Its name.
        videos: Number of its videos.
        accuracy: Share of them that is recognized, 0 to 1.
        taken_for: Class that most of the others are taken for, if any.
        taken_count: Number of these.
    """

    name: str
    videos: int
    accuracy: float
    taken_for: str = ''
    taken_count: int = 0


@dataclass
class VideoRow:
    """One wrongly classified video.

    Args:
        name: Its name.
        truth: Its class.
        predicted: The class of the highest score.
        truth_score: Score of its class.
        predicted_score: The highest score.
        thumbnails: Frames, base64 of JPEG files.
        note: Why there are none.
    """

    name: str
    truth: str
    predicted: str
    truth_score: float
    predicted_score: float
    thumbnails: list[str] = field(default_factory=list)
    note: str = ''


def report_page(
    *,
    title: str,
    figures: dict[str, float],
    num_videos: int,
    confusion: str,
    classes: Sequence[ClassRow],
    videos: Sequence[VideoRow],
) -> str:
    """Return the page, which loads nothing.

    Args:
        title: Heading.
        figures: ``top1``, ``top5`` and ``mean_class``, 0 to 1.
        num_videos: Number of videos tested.
        confusion: Picture of the confusion matrix, base64 of a PNG file.
        classes: Classes in the order of the table.
        videos: Videos in the order of the page.

    Example:
        >>> page = report_page(
        ...     title='a < b', figures=dict(top1=0.5, top5=1.0, mean_class=0.5),
        ...     num_videos=2, confusion='', classes=[ClassRow('run', 2, 0.5)],
        ...     videos=[])
        >>> 'a &lt; b' in page
        True
    """
    template = files('mmattn.visualization').joinpath('report_page.html')
    return Template(template.read_text('utf-8')).substitute(
        title=escape(title),
        num_videos=num_videos,
        top1=_percent(figures['top1']),
        top5=_percent(figures['top5']),
        mean_class=_percent(figures['mean_class']),
        confusion=confusion,
        classes='\n'.join(map(_class_row, classes)),
        videos='\n'.join(map(_video_row, videos)) or '<p>No video went wrong.</p>',
    )


def _class_row(row: ClassRow) -> str:
    taken = f'{escape(row.taken_for)} ({row.taken_count})' if row.taken_for else ''
    width = round(100 * row.accuracy)
    return (
        f'<tr><td>{escape(row.name)}</td><td class="n">{row.videos}</td>'
        f'<td class="n">{_percent(row.accuracy)}</td>'
        f'<td class="bar"><div style="width:{width}%"></div></td><td>{taken}</td></tr>'
    )


def _video_row(row: VideoRow) -> str:
    pictures = ''.join(
        f'<img alt="frame of {escape(row.name, quote=True)}" '
        f'src="data:image/jpeg;base64,{picture}">'
        for picture in row.thumbnails
    )
    return (
        f'<figure>{pictures}<figcaption><b>{escape(row.name)}</b><br>'
        f'{escape(row.truth)} {row.truth_score:.3f}, taken for '
        f'{escape(row.predicted)} {row.predicted_score:.3f}'
        f'<br>{escape(row.note)}</figcaption></figure>'
    )


def _percent(share: float) -> str:
    return f'{100 * share:.1f}'
