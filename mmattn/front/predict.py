"""The command that says what videos show."""

import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from mmattn.front.detections import Detections
from mmattn.front.model import Result, VideoModel, load
from mmattn.front.predictor import Broken, Options
from mmattn.front.results import write_json
from mmattn.front.sources import Source, find_sources
from mmattn.front.timeline import Timeline, clock, runs_of, write_table
from mmattn.inference.find import split_command
from mmattn.utils.progress import progress_bar
from mmattn.visualization.labeled_film import save_labeled_film

SUFFIXES = ('.csv', '.json', '.mp4')
FORMAT = 'mmattn.predictions'
VERSION = 1
MOST_SPANS = 20  # of frames, on the screen


class Request(NamedTuple):
    """What is asked for; see the help of the command.

    Args:
        model: Work folder, checkpoint, exported file or config.
        inputs: Videos; the first may be the weights of a config.
        top: Classes of each video.
        out: File or folder to write.
        every: Seconds from one part to the next.
        window: Seconds of a part.
        classes: Text file with names.
        crops: Crops of the frames.
        persons: Boxes of persons.
        batch_size: Clips at once.
        device: Where to compute.
        bf16: Whether in bfloat16.
    """

    model: str
    inputs: Sequence[str]
    top: int = 5
    out: str | None = None
    every: float | None = None
    window: float | None = None
    classes: str | None = None
    crops: str | None = None
    persons: str | None = None
    batch_size: int = 8
    device: str | None = None
    bf16: bool = False


def predict_all(request: Request) -> int:
    """Print what videos show, and write it where that is asked for.

    Args:
        request: What is asked for.

    Returns:
        The exit code, 1 where a video could not be read.

    Raises:
        ValueError: If an argument is wrong.
    """
    if request.top < 1:
        raise ValueError(f'--top: expected at least 1, got {request.top}')
    named, inputs = split_command([request.model, *request.inputs])
    out = None if request.out is None else Path(request.out)
    model = load(
        *named,
        classes=request.classes,
        device=request.device,
        bf16=request.bf16,
    )
    sources = _sources(inputs, model)
    _check_out(out, sources)
    options = Options(
        request.every,
        request.window,
        request.crops,
        request.batch_size,
        attention=out is not None and not out.suffix,
    )
    if len(sources) == 1 and sources[0].endless:
        return _watch(model, sources[0], options, out)
    found: list[Result] = []
    broken = 0
    bar = progress_bar(
        model.each(sources, options, persons=request.persons),
        total=len(sources),
        description='videos',
        shown=len(sources) > 1 and sys.stderr.isatty(),
    )
    for result in bar:
        if isinstance(result, Broken):
            broken += 1
            print(f'broken: {result.name}: {result.reason}', file=sys.stderr)
            continue
        print('\n'.join(lines_of(result, request.top)), flush=True)
        found.append(result)
    for file in _write(found, sources, out, request.top):
        print(f'wrote {file}')
    return 1 if broken else 0


def lines_of(result: Result, top: int) -> list[str]:
    """Return what is printed of a result.

    Args:
        result: The result.
        top: Number of classes.
    """
    if isinstance(result, Timeline):
        width = max(len(span.label) for span in result.spans())
        return [
            result.name,
            *(
                f'  {clock(span.start):>9} - {clock(span.end):>9}  '
                f'{span.label:<{width}}  {span.score:.3f}'
                for span in result.spans()
            ),
        ]
    best = [f'{name} {score:.3f}' for name, score in result.top(top)]
    lines = [f'{Path(result.name).name}: {", ".join(best) or "no action"}']
    if isinstance(result, Detections):
        for key in result.key_frames:
            for person in key.persons:
                box = ' '.join(f'{edge:.3f}' for edge in person.box)
                actions = ', '.join(
                    f'{result.names[k]} {score:.3f}'
                    for k, score in person.actions[:top]
                )
                lines.append(f'  {clock(key.second):>9}  [{box}]  {actions}')
        return lines
    frames = result.frames
    if frames.scores is None:
        return lines
    runs = runs_of(frames.scores.argmax(axis=1).tolist())
    for first, last in runs[:MOST_SPANS]:
        best_class = int(frames.scores[first].argmax())
        score = float(frames.scores[first : last + 1, best_class].mean())
        lines.append(
            f'  frames {frames.numbers[first]:>5} to {frames.numbers[last]:>5}  '
            f'{result.classes[best_class]}  {score:.3f}'
        )
    if len(runs) > MOST_SPANS:
        lines.append(f'  ... {len(runs) - MOST_SPANS} more, all of them in --out')
    return lines


def _sources(inputs: Sequence[str], model: VideoModel) -> list[Source]:
    found: list[Source] = []
    for one in inputs:
        camera = one.isdigit() and not Path(one).exists()
        given: Any = int(one) if camera else one
        found += find_sources(given, model.network)[0]
    if len(found) > 1 and any(source.endless for source in found):
        raise ValueError('input: expected a camera alone, got more inputs beside it')
    return found


def _check_out(out: Path | None, sources: Sequence[Source]) -> None:
    if out is None:
        return
    if out.suffix and out.suffix not in SUFFIXES and not out.is_dir():
        raise ValueError(
            f'--out: expected a folder or a file ending in {SUFFIXES}, got {out}'
        )
    one = len(sources) == 1 and sources[0].path is not None
    if out.suffix == '.mp4' and not one:
        raise ValueError(
            f'--out: expected one video file for an .mp4, got {len(sources)} inputs'
        )
    folder = out.parent if out.suffix else out
    folder.mkdir(parents=True, exist_ok=True)


def _write(
    found: Sequence[Result], sources: Sequence[Source], out: Path | None, top: int
) -> list[Path]:
    if out is None or not found:
        return []
    if out.suffix == '.csv':
        return [write_table(out, chain.from_iterable(r.rows(top) for r in found))]
    if out.suffix == '.json':
        content = dict(
            format=FORMAT, version=VERSION, videos=[r.as_dict() for r in found]
        )
        return [write_json(out, content)]
    if out.suffix == '.mp4':
        assert sources[0].path is not None
        return [save_film_of(found[0], sources[0].path, out)]
    return [file for result in found for file in result.save(out)]


def save_film_of(result: Result, video: Path, out: Path) -> Path:
    """Write a video with what the model says of each frame.

    Args:
        result: What it says.
        video: The video file.
        out: The film.
    """
    if isinstance(result, Detections):
        return result.save_film(out)
    if isinstance(result, Timeline):
        best = [
            (part.start, part.end, int(part.scores.argmax()), float(part.scores.max()))
            for part in result.segments
        ]
        middles = [((start + end) / 2, k, score) for start, end, k, score in best]
    elif result.frames.scores is not None and result.frames.seconds is not None:
        middles = [
            (float(second), int(scores.argmax()), float(scores.max()))
            for second, scores in zip(
                result.frames.seconds, result.frames.scores, strict=True
            )
        ]
    else:
        middles = [(0.0, int(result.scores.argmax()), float(result.scores.max()))]
    labels = [(at, f'{result.classes[k]} {score:.2f}') for at, k, score in middles]
    return save_labeled_film(video, labels, out)


def _watch(
    model: VideoModel, source: Source, options: Options, out: Path | None
) -> int:
    """Print what a camera shows, until it or the user stops."""
    every = options.every or 2.0
    segments = []
    found = model.stream(
        source.frames, every=every, window=options.window, fps=source.fps
    )
    try:
        for part in found:
            best = int(part.scores.argmax())
            print(
                f'{clock(part.start):>9} - {clock(part.end):>9}  '
                f'{model.classes[best]}  {part.scores[best]:.3f}',
                flush=True,
            )
            if out is not None:
                segments.append(part)
    except KeyboardInterrupt:
        print('stopped', file=sys.stderr)
    if segments:
        timeline = Timeline(source.name, model.classes, segments)
        for file in _write([timeline], [source], out, 5):
            print(f'wrote {file}')
    return 0
