"""What the files of a folder were made with, kept beside them."""

import json
from pathlib import Path
from typing import Any

from mmattn.utils.files import write_json


def claim_folder(record: Path, settings: dict[str, Any], what: str) -> None:
    """Keep what the files of a new folder depend on; refuse a folder of others.

    Args:
        record: File of the folder that says what its files were made with.
        settings: What they are made with now, values that JSON can hold.
        what: What the files are, for the message.

    Raises:
        ValueError: If those that are there were made with other settings.

    Example:
        >>> import tempfile
        >>> record = Path(tempfile.mkdtemp(), 'made.json')
        >>> claim_folder(record, dict(size=3), 'maps')
        >>> claim_folder(record, dict(size=3), 'maps')
        >>> claim_folder(record, dict(size=4), 'maps')  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ValueError: ...: expected maps made with size 4, got maps made with 3; ...
    """
    if not record.is_file():
        write_json(record, settings)
        return
    known = json.loads(record.read_text(encoding='utf-8'))
    for key, value in settings.items():
        if known.get(key) != value:
            raise ValueError(
                f'{record.parent}: expected {what} made with {key} {value}, got {what} '
                f'made with {known.get(key)}; take another folder, or remove this one'
            )
