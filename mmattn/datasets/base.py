"""What our data sets add to MMAction2's: checked lists and broken-video handling."""

import contextlib
import gc
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from mmaction.datasets import transforms as host
from mmaction.datasets.base import BaseActionDataset
from mmengine.dataset import Compose
from mmengine.fileio import isfile
from mmengine.logging import print_log

from mmattn.signatures import Component, NotNegative
from mmattn.utils.text import DELIMITERS, read_lines, split_fields

from .samplers import seeded_rng

Steps = Sequence[Component | Callable]
DECODE_STEPS = (
    host.DecordInit,
    host.DecordDecode,
    host.OpenCVInit,
    host.OpenCVDecode,
    host.PIMSInit,
    host.PIMSDecode,
    host.PyAVInit,
    host.PyAVDecode,
    host.RawFrameDecode,
)
JOINED = re.compile(r'[,;\t]\s*"?\d+"?$')  # a label that is no field of its own
LABEL_HEADERS = ('action', 'class', 'class_id', 'label', 'label_id', 'labels')
DECODER_PACKAGES = ('av', 'cv2', 'decord')


class AnnotationFileNotFoundError(FileNotFoundError, ValueError):
    """The list that ``ann_file`` names does not exist."""


class BrokenVideoError(RuntimeError):
    """A video, frame folder or feature file is missing or cannot be decoded."""


class ListLine(NamedTuple):
    """One line of an annotation file."""

    path: str
    counts: list[int]
    labels: list[int]
    number: int = 0


def is_broken_input(step: Any, error: Exception) -> bool:
    """Tell a broken file from a mistake in the pipeline.

    A :class:`BrokenVideoError` always means the file.  Other exceptions mean the file
    only in a step that reads files (``DECODE_STEPS`` or an attribute
    ``reads_files``), and there only an ``OSError``, a ``RuntimeError`` that is not a
    ``NotImplementedError``, and the decoders' own exceptions; in ``RawFrameDecode``
    also a ``ValueError``, which an x/y flow pair of different sizes causes.

    Args:
        step: Pipeline step that failed.
        error: What it raised.

    Example:
        >>> is_broken_input(host.DecordInit(), FileNotFoundError('a.mp4'))
        True
        >>> is_broken_input(host.DecordInit(), KeyError('filename'))
        False
        >>> is_broken_input(host.Flip(), FileNotFoundError('a.mp4'))
        False
    """
    if isinstance(error, BrokenVideoError):
        return True
    if not (isinstance(step, DECODE_STEPS) or getattr(step, 'reads_files', False)):
        return False
    if isinstance(error, NotImplementedError):
        return False
    if isinstance(error, ValueError):
        return isinstance(step, host.RawFrameDecode)
    from_decoder = type(error).__module__.split('.')[0] in DECODER_PACKAGES
    return from_decoder or isinstance(error, OSError | RuntimeError)


def check_decoded(results: dict) -> None:
    """Check what a step that reads files has left in ``results``.

    Args:
        results: The sample.

    Raises:
        BrokenVideoError: If there are no frames, or a frame that is no image.

    Example:
        >>> check_decoded({'total_frames': 3})
    """
    if results.get('total_frames', 1) < 1:
        raise BrokenVideoError('it holds no frames')
    for number, img in enumerate(results.get('imgs', ())):
        if np.asarray(img).dtype == object:
            raise BrokenVideoError(f'sampled frame {number} cannot be decoded')


def join_steps(steps: Sequence[Any]) -> list[Any]:
    """Let steps that offer it do the next step's work frame by frame.

    Args:
        steps: Steps of a pipeline.  One with a method ``joined_with`` is asked for a
            step that stands for itself and the next one.

    Example:
        >>> from mmattn.datasets import VideoDecode
        >>> join_steps([VideoDecode(), host.Resize(scale=(-1, 256))])[0].then
        (Resize(scale=(inf, 256), keep_ratio=True, interpolation=bilinear, lazy=False),)
    """
    joined: list[Any] = []
    for step in steps:
        join = getattr(joined[-1], 'joined_with', None) if joined else None
        both = join(step) if join else None
        if both is None:
            joined.append(step)
        else:
            joined[-1] = both
    return joined


def run_steps(steps: Sequence[Any], results: dict) -> Any:
    """Run steps of a pipeline on a sample.

    Args:
        steps: The steps.
        results: The sample.

    Raises:
        BrokenVideoError: If a step finds that a file is broken, see
            :func:`is_broken_input`.

    Example:
        >>> run_steps([], {'label': 1})
        {'label': 1}
    """
    for step in join_steps(steps):
        try:
            results = step(results)
        except BrokenVideoError:
            raise
        except Exception as error:
            if not is_broken_input(step, error):
                raise
            cause = ' '.join(str(error).split())
            raise BrokenVideoError(
                f'{type(step).__name__} failed with {type(error).__name__}: {cause}'
            ) from error
        if results is None:
            return None
        if isinstance(step, DECODE_STEPS):
            check_decoded(results)
    return results


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Keep Python from looking for cycles, which takes longer than to read a list.

    Example:
        >>> with without_collector():
        ...     gc.isenabled()
        False
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class CheckedActionDataset(BaseActionDataset):
    """Base of our data sets: checks lists early and survives broken videos.

    The list is read when the data set is built, and every line is checked then.
    Files are opened when a sample is read.  Each sample has ``video_id``, the path
    that stands in the list without its extension, so that a video and the folder of
    its flow agree; ``mmattn.PackClipInputs`` keeps it in the metainfo.

    An index with a seed (:class:`~mmattn.datasets.samplers.SeededIndex`) seeds the
    generators of Python, NumPy and PyTorch for this sample alone; their states are
    restored afterwards.

    Args:
        ann_file: Path of the list, relative to ``data_root``.
        pipeline: Pipeline steps.
        on_broken: What to do in training with a video that cannot be read:
            ``'replace'`` reports it once and draws another sample, ``'raise'`` stops.
            With ``test_mode=True`` a broken video always stops the run.
        max_refetch: Number of other samples tried before giving up, at least 0.
        allow_unlabeled: Whether, with ``multi_class=True``, a line without labels is a
            video that shows none of the classes.
        **host_args: Arguments of the MMAction2 class (``data_root``, ``data_prefix``,
            ``num_classes``, ``test_mode``, ...), which rejects unknown ones.

    Raises:
        AnnotationFileNotFoundError: If there is no such list.
        ValueError: If the list is empty or a line is malformed, or a label is not in
            ``0 .. num_classes - 1``; the message names file and line.
        BrokenVideoError: When reading a sample, as said at ``on_broken``.
    """

    delimiter: str | None = None
    folder_key = 'video'  # of data_prefix
    layout = '<path> <label>'
    num_counts = 0

    def __init__(
        self,
        ann_file: str,
        pipeline: Steps,
        *,
        on_broken: Literal['replace', 'raise'] = 'replace',
        max_refetch: NotNegative = 20,
        allow_unlabeled: bool = False,
        **host_args: Any,
    ) -> None:
        if allow_unlabeled and not host_args.get('multi_class'):
            raise ValueError(
                'expected multi_class=True with `allow_unlabeled`, got multi_class='
                f'{host_args.get("multi_class", False)}'
            )
        require_kept(host_args.get('indices'))
        prefix = host_args.get('data_prefix')
        if isinstance(prefix, Mapping) and self.folder_key not in prefix:
            raise ValueError(
                f'expected `data_prefix=dict({self.folder_key}=...)`, got {prefix}'
            )
        self.on_broken = on_broken
        self.allow_unlabeled = allow_unlabeled
        super().__init__(ann_file, pipeline, max_refetch=max_refetch, **host_args)

    def full_init(self) -> None:
        """Read the list, and keep it in one array that all workers share."""
        with without_collector():
            super().full_init()

    def read_list(self) -> list[ListLine]:
        """Read and check the annotation file.

        Raises:
            AnnotationFileNotFoundError: If there is no such file.
            ValueError: If it is empty or malformed.
        """
        if self.multi_class and self.num_classes is None:
            raise ValueError('expected `num_classes` with multi_class=True, got None')
        if not self.ann_file or not isfile(self.ann_file):
            raise AnnotationFileNotFoundError(
                f'expected `ann_file` to name a list, got {self.ann_file!r}, which is '
                'not a file: correct `ann_file` or `data_root`, or write the list with '
                'the preparation script of the data set'
            )
        lines = read_lines(self.ann_file)
        records = [
            self._parse_line(number, line)
            for number, line in enumerate(lines, 1)
            if line.strip() and not (number == 1 and self._is_header(line))
        ]
        if not records:
            raise ValueError(
                f'expected at least one line in `ann_file`, got {self.ann_file}, '
                'which is empty'
            )
        self._check_labels(records)
        self._check_repeats(records)
        return records

    def _fields(self, line: str) -> list[str]:
        if self.delimiter is None or self.delimiter not in DELIMITERS:
            return line.strip().split(self.delimiter)
        fields = split_fields(line.strip(), self.delimiter)
        while fields[1:] and not fields[-1]:  # what spreadsheets fill lines up with
            fields.pop()
        return fields

    def _is_header(self, line: str) -> bool:
        if self.delimiter not in DELIMITERS:
            return False
        return self._fields(line)[-1].lower() in LABEL_HEADERS

    def _parse_line(self, number: int, line: str) -> ListLine:
        path, *fields = self._fields(line) or ['']
        numbers = [int(field) for field in fields if field.isdecimal()]
        counts, labels = numbers[: self.num_counts], numbers[self.num_counts :]
        may_lack_label = self.test_mode and not self.multi_class
        well_formed = (
            bool(path)
            and (bool(fields) or not JOINED.search(path))
            and len(numbers) == len(fields)
            and len(counts) == self.num_counts
            and (self.multi_class or len(labels) <= 1)
            and (bool(labels) or self.allow_unlabeled or may_lack_label)
        )
        if not well_formed:
            raise ValueError(
                f"{self.ann_file}:{number}: expected '{self.layout}' with whole "
                f'numbers of 0 or more, got {line!r}{self._cure(line)}'
            )
        return ListLine(path, counts, labels, number)

    def _cure(self, line: str) -> str:
        """What to change in the config or the list, if that can be seen."""
        if self.delimiter in DELIMITERS:
            missing = self.delimiter not in line
            return f'; delimiter={self.delimiter!r} is not in it' if missing else ''
        joined = JOINED.search(line.strip())
        if joined:
            found = joined[0][0]
            if self.delimiter == ' ':
                return f'; fields separated by {found!r} need delimiter={found!r}'
            return f'; separate the fields by blanks, not {found!r}'
        words = line.split()
        if len(words) > 2 and words[-1].isdecimal() and not words[1].isdecimal():
            return "; names with blanks need a list with tabs and delimiter='\\t'"
        return ''

    def _check_labels(self, records: list[ListLine]) -> None:
        seen = {label for record in records for label in record.labels}
        top = max(seen, default=0)
        hint = '' if 0 in seen else '; no line has the label 0: do they count from 1?'
        for number, labels in ((record.number, record.labels) for record in records):
            for label in labels:
                if self.num_classes is not None and label >= self.num_classes:
                    raise ValueError(
                        f'{self.ann_file}:{number}: expected a label in '
                        f'0..{self.num_classes - 1} (num_classes={self.num_classes}, '
                        f'labels start at 0), got {label}{hint}'
                    )
        if hint and len(seen) > 1 and self.num_classes in (None, top + 1):
            self._warn(f'expected labels from 0 on, got {min(seen)} to {top}{hint}')
        unlabeled = [record.number for record in records if not record.labels]
        if not unlabeled or self.allow_unlabeled:
            return
        if seen:
            raise ValueError(
                f'{self.ann_file}:{unlabeled[0]}: expected a label in all lines or in '
                f'none, got {len(unlabeled)} of {len(records)} without'
            )
        self._warn(
            f'{len(unlabeled)} of {len(records)} lines have no label: predict with it, '
            'but do not evaluate'
        )

    def _check_repeats(self, records: list[ListLine]) -> None:
        first: dict[tuple, int] = {}
        repeats = [
            (record, first[key])
            for record in records
            for key in [(record.path, *record.counts)]
            if first.setdefault(key, record.number) != record.number
        ]
        if repeats:
            record, line = repeats[0]
            self._warn(
                f'expected each video once, got {len(repeats)} lines again, such as '
                f'{record.path} in lines {line} and {record.number}'
            )

    def _warn(self, message: str) -> None:
        print_log(f'{self.ann_file}: {message}', 'current', logging.WARNING)

    def video_id(self, path: str) -> str:
        """Return the name under which all streams of a video agree.

        Args:
            path: Path as it stands in the list.
        """
        return path

    def load_data_list(self) -> list[dict]:
        """Read the list and add ``video_id`` and the number of the line."""
        records = self.read_list()
        infos = self.make_infos(records)
        first_lines: dict[str, int] = {}
        for record, info in zip(records, infos, strict=True):
            info['video_id'] = self.video_id(record.path)
            if self.multi_class:
                info['label'] = record.labels  # the host's is -1 where there is none
            info['list_line'] = first_lines.setdefault(record.path, record.number)
        # Shared with the loader's workers, so that a file is reported once by all.
        self._reported = torch.zeros(records[-1].number + 1, dtype=torch.bool)
        self._reported.share_memory_()
        return infos

    def make_infos(self, records: list[ListLine]) -> list[dict]:
        """Turn checked lines into samples, by default with the host's own reader.

        Args:
            records: The checked lines.
        """
        del records
        return super().load_data_list()

    def open_sample(self, info: dict) -> dict:
        """Complete a sample before the pipeline; may raise ``BrokenVideoError``.

        Args:
            info: The sample as the list describes it.
        """
        return info

    def prepare_data(self, idx: int) -> Any:
        """Read one sample.

        Args:
            idx: Index of the sample.

        Raises:
            BrokenVideoError: If it cannot be read; names the file and its line.
        """
        info = self.get_data_info(int(idx))
        source = info['filename'] if 'filename' in info else info['frame_dir']
        line = info['list_line']
        try:
            return self._run_pipeline(self.open_sample(info))
        except BrokenVideoError as error:
            raise BrokenVideoError(
                f'expected a readable input, got {source} '
                f'(line {line} of {self.ann_file}): {error}'
            ) from error

    def _run_pipeline(self, results: dict) -> Any:
        if type(self.pipeline).__call__ is not Compose.__call__:
            return self.pipeline(
                results
            )  # put there to do more, as browse_dataset does
        return run_steps(self.pipeline.transforms, results)

    def __getitem__(self, idx: int) -> Any:
        if not self._fully_initialized:
            self.full_init()
        with seeded_rng(getattr(idx, 'seed', None)):
            return self._fetch(int(idx))

    def _fetch(self, idx: int) -> Any:
        failures = []
        for _ in range(self.max_refetch + 1):
            try:
                data = self.prepare_data(idx)
            except BrokenVideoError as error:
                if self.test_mode or self.on_broken == 'raise':
                    raise
                self._report(idx, error)
                failures.append(str(error))
            else:
                if data is not None:
                    return data
                failures.append(f'the pipeline returned None for sample {idx}')
                if self.test_mode:
                    break
            idx = self._rand_another()
        causes = '\n'.join(dict.fromkeys(failures))
        raise BrokenVideoError(
            f'expected a readable sample, got none in {len(failures)} tries:\n{causes}'
        )

    def _report(self, idx: int, error: BrokenVideoError) -> None:
        line = self.get_data_info(idx)['list_line']
        if not self._reported[line]:
            self._reported[line] = True
            print_log(
                f'{error}; another sample takes its place', 'current', logging.WARNING
            )


def require_kept(indices: int | Sequence[int] | None) -> None:
    """Refuse to keep no sample of a data set.

    Args:
        indices: How many samples to keep, or which; None for all.

    Raises:
        ValueError: If none is left.
    """
    if indices is not None and (not indices or min(np.atleast_1d(indices)) < 0):
        raise ValueError(
            f'indices: expected how many samples to keep, or which, got {indices}'
        )
