"""Code blocks and tables of the pages of the documentation."""

import inspect
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BLOCK = re.compile(r'^ *```(\w*)\n(.*?)^ *```$', re.M | re.S)
SPAN = re.compile(r'`([^`\n]+)`')


def read(page: Path) -> str:
    return page.read_text(encoding='utf-8')


def blocks(page: Path, *languages: str) -> list[str]:
    found = [
        code for language, code in BLOCK.findall(read(page)) if language in languages
    ]
    return [inspect.cleandoc(code) for code in found]


def tables(page: Path) -> list[list[dict[str, str]]]:
    found = []
    for lines in re.findall(r'(?:^\|.*\|\n)+', read(page), re.M):
        rows = [
            [cell.strip() for cell in line[1:-1].split('|')]
            for line in lines.splitlines()
        ]
        found.append([dict(zip(rows[0], row, strict=True)) for row in rows[2:]])
    return found


def table_with(page: Path, header: str) -> list[dict[str, str]]:
    (found,) = (t for t in tables(page) if t and header in t[0])
    return found
