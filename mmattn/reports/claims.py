"""What the papers say and where that is here, from the ``claims.yml`` of each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmattn.utils.configs import configs_root
from mmattn.utils.text import markdown_table, read_yaml

HEAD = """\
# What the papers say, and where it is

Claims, figures, tables and sentences on the protocol, each with the rows, the file, the
tool or the test that stands for it here. Equations are in the papers' own pages, with
classes and tests; `pytest -k pyramid_eq_4` runs the tests of an equation's values.
"""


@dataclass(frozen=True)
class PaperClaims:
    """Equations and claims of a paper.

    Args:
        key: Key of the system.
        folder: Folder of its configs.
        equations: Entries with ``paper``, ``name``, ``file``, ``test`` and ``config``,
            and with ``marks`` and ``values`` where tests compare values.
        claims: Entries with ``where``, ``claim`` and one of ``rows``, ``see`` and
            ``not_done``.
    """

    key: str
    folder: Path
    equations: list[dict[str, Any]]
    claims: list[dict[str, str]]

    def table(self) -> str:
        """Return the equations as the Markdown table of the paper's README."""
        names = ('name', 'file', 'test', 'config')
        rows = [
            [entry['paper'], *(f'`{entry[name]}`' for name in names)]
            for entry in self.equations
        ]
        header = ['in the paper', 'class or function', *names[1:]]
        return markdown_table(header, rows)


def load_claims(root: Path | None = None) -> list[PaperClaims]:
    """Read every ``claims.yml``.

    Args:
        root: Folder to search, our configs by default.

    Raises:
        ValueError: If a claim says not one of ``rows``, ``see`` and ``not_done``.
    """
    found = []
    for path in sorted((root or configs_root()).rglob('claims.yml')):
        content = read_yaml(path)
        for claim in content['claims']:
            answers = sorted(set(claim) - {'where', 'claim'})
            if len(answers) != 1 or answers[0] not in ('rows', 'see', 'not_done'):
                raise ValueError(
                    f'{path}: {claim.get("claim")!r}: expected one of rows, see and '
                    f'not_done, got {answers}'
                )
        found.append(
            PaperClaims(
                content['key'], path.parent, content['equations'], content['claims']
            )
        )
    return found


def claims_page(papers: list[PaperClaims]) -> str:
    """Return the page of all claims.

    Args:
        papers: Claims of all papers.
    """
    parts = [HEAD]
    for paper in papers:
        rows = []
        for claim in paper.claims:
            here = f'not done: {claim["not_done"]}' if 'not_done' in claim else ''
            if 'rows' in claim:
                here = f"`mmattn rows --run '{claim['rows']}'`"
            elif 'see' in claim:
                here = f'`{claim["see"]}`'
            rows.append([claim['where'], claim['claim'], here])
        table = markdown_table(['in the paper', 'claim', 'here'], rows)
        parts.append(f'\n## {paper.key}\n\n{table}\n')
    return ''.join(parts)


def with_part(readme: str, name: str, part: str) -> str:
    """Return a README's text with the part between two markers made anew.

    Args:
        readme: The text.
        name: Name in the markers, ``equations`` or ``rows``.
        part: The new part.

    Raises:
        ValueError: If the markers are missing.
    """
    begin, end = (f'<!-- {name}: {side} -->' for side in ('begin', 'end'))
    if not 0 <= readme.find(begin) < readme.find(end):
        raise ValueError(f'expected {begin} and {end} in the README, got none')
    before, rest = readme.split(begin, 1)
    return f'{before}{begin}\n{part}\n{end}{rest.split(end, 1)[1]}'


def value_tests(papers: list[PaperClaims]) -> dict[tuple[str, str], list[str]]:
    """Return the names by which pytest finds tests, by their file and function.

    Args:
        papers: Claims of all papers.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for paper in papers:
        for entry in paper.equations:
            for test in entry.get('values', ()):
                names = [f'{paper.key}_{mark}' for mark in entry['marks']]
                found.setdefault((entry['test'], test), []).extend(names)
    return found
