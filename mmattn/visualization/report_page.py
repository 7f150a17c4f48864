"""HTML of the report on a test."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mmattn.visualization.templates import render_page


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


@dataclass(frozen=True)
class ShownClip:
    """A clip with what the model attends to in it.

    Args:
        name: Its name.
        caption: What there is to say of it.
        picture: Picture, base64 of a JPEG file.
    """

    name: str
    caption: str
    picture: str


def report_page(
    *,
    title: str,
    figures: dict[str, float],
    num_videos: int,
    confusion: str,
    classes: Sequence[ClassRow],
    videos: Sequence[VideoRow],
    notes: Sequence[str] = (),
    shown: Sequence[ShownClip] = (),
) -> str:
    """Return the page, which loads nothing.

    Args:
        title: Heading.
        figures: ``top1``, ``top5`` and ``mean_class``, 0 to 1.
        num_videos: Number of videos tested.
        confusion: Picture of the confusion matrix, base64 of a PNG file.
        classes: Classes in the order of the table.
        videos: Videos in the order of the page.
        notes: Sentences at the top.
        shown: Clips with what the model attends to.

    Example:
        >>> page = report_page(
        ...     title='a < b', figures=dict(top1=0.5, top5=1.0, mean_class=0.5),
        ...     num_videos=2, confusion='', classes=[ClassRow('run', 2, 0.5)],
        ...     videos=[])
        >>> 'a &lt; b' in page
        True
    """
    return render_page(
        'report',
        title=title,
        figures=figures,
        num_videos=num_videos,
        confusion=confusion,
        classes=classes,
        videos=videos,
        notes=notes,
        shown=shown,
    )
