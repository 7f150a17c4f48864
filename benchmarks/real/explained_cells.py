"""Tables of which maps explain which systems on which data, as docs/explain.md has."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmattn.explain.faithfulness import CENTER, RANDOM
from mmattn.explain.maps import REDRAWN
from mmattn.explain.table import TableRow
from mmattn.explain.units import OVERS
from mmattn.utils.text import markdown_table

COLUMNS = (
    'system',
    'right',
    'map',
    'over',
    'deletion, random',
    'insertion, random',
    'gain over random',
    'head, all redrawn',
    'explains',
)


class Cell(NamedTuple):
    """One system on one set of data.

    Args:
        data: Name of the data.
        system: The system.
        right: Videos of the test that it recognized, such as '9 of 12'.
        rows: What was found of its maps.
    """

    data: str
    system: str
    right: str
    rows: Sequence[TableRow]

    @property
    def maps(self) -> list[TableRow]:
        """Rows of its own maps."""
        return [row for row in self.rows if row.name not in (RANDOM, CENTER)]


def overview(cells: Sequence[Cell]) -> str:
    """Gain over random and verdict of each map, with a column for each set of data.

    Args:
        cells: What was measured.
    """
    sets = list(dict.fromkeys(cell.data for cell in cells))
    found = {
        (over, cell.system, short_name(row.name), cell.data): row
        for over in OVERS
        for cell in cells
        for row in cell.maps
        if row.over == over
    }
    lines = []
    for over, system, name in dict.fromkeys(key[:3] for key in found):
        rows = [found.get((over, system, name, data)) for data in sets]
        gains = [f'{r.over_random.mean:+.2f} {r.answer}' if r else '' for r in rows]
        lines.append((over, f'`{system}`', name, *gains))
    return markdown_table(('over', 'system', 'map', *sets), lines)


def details(cells: Sequence[Cell]) -> str:
    """Everything that decides, with a table for each set of data.

    Args:
        cells: What was measured.
    """
    sets = dict.fromkeys(cell.data for cell in cells)
    return '\n\n'.join(
        f'{data}:\n\n'
        + markdown_table(
            COLUMNS, (x for cell in cells if cell.data == data for x in _lines(cell))
        )
        for data in sets
    )


def short_name(name: str) -> str:
    """Return what tells the maps of one model apart.

    Args:
        name: Full name of a map.

    Example:
        >>> short_name('backbone.attentions.0.spatial_attention.spatial_gate')
        '`spatial_attention.spatial_gate`'
    """
    if name.startswith('grad_cam'):
        return 'Grad-CAM'
    words = [word for word in name.split('.') if not word.isdigit()]
    return f'`{".".join(words[-2:])}`'


def _lines(cell: Cell) -> list[tuple[str, ...]]:
    random = {row.over: row for row in cell.rows if row.name == RANDOM}
    first = (f'`{cell.system}`', cell.right)
    lines = []
    for row in cell.maps:
        chance, gain = random[row.over], row.over_random
        lines.append(
            (
                *first,
                short_name(row.name),
                row.over,
                f'{row.deletion.mean:.2f}, {chance.deletion.mean:.2f}',
                f'{row.insertion.mean:.2f}, {chance.insertion.mean:.2f}',
                f'{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]',
                ', '.join(_agreement(row.redrawn[what]) for what in REDRAWN),
                row.answer,
            )
        )
        first = ('', '')
    return lines


def _agreement(value: float) -> str:
    return 'none' if np.isnan(value) else f'{value:.2f}'
