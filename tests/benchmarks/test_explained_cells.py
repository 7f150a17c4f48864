"""Tables of which maps explain which systems, from results made by hand."""

import runpy
from pathlib import Path

import pytest

from mmattn.evaluation.functional.faithfulness import Interval
from mmattn.explain.table import TableRow

SCRIPT = Path(__file__).resolve().parents[2] / 'benchmarks/real/explained_cells.py'
NAN = float('nan')
FAST = 'head.branches.fast.0.frame_weights'


@pytest.fixture(scope='module')
def script():
    return runpy.run_path(str(SCRIPT))


def interval(mean):
    return Interval(mean, mean - 0.125, mean + 0.125, 3)


def row(name, over, deletion, gain, *, head=0.5, everything=NAN, uniform=0):
    areas = [interval(deletion), interval(0.75), interval(gain), interval(0)]
    return TableRow(name, over, *areas, NAN, dict(head=head, all=everything), uniform)


@pytest.fixture
def cells(script):
    cell = script['Cell']
    chance = [row('random', x, 0.5, NAN) for x in ('space', 'time')]
    middle = row('center', 'time', 0.375, 0.5)
    cam = row('grad_cam backbone', 'time', 0.125, 0.0625, head=1, everything=-0.25)
    better = cam._replace(over_random=interval(0.25))
    return [
        cell('moving', 'stbta', '3 of 4', [chance[1], middle, cam]),
        cell(
            'moving',
            'slowfast_attn',
            '2 of 4',
            [
                chance[0],
                row('grad_cam backbone', 'space', 0.25, -0.25),
                chance[1],
                row(FAST, 'time', 0.25, 0.375, uniform=3),
            ],
        ),
        cell('still', 'stbta', '4 of 4', [chance[1], better]),
    ]


def test_overview_has_a_column_for_each_set_of_data(script, cells):
    assert script['overview'](cells).splitlines() == [
        '| over | system | map | moving | still |',
        '|---|---|---|---|---|',
        '| space | `slowfast_attn` | Grad-CAM | -0.25 misleads |  |',
        '| time | `stbta` | Grad-CAM | +0.06 no | +0.25 yes |',
        '| time | `slowfast_attn` | `fast.frame_weights` | +0.38 no, uniform |  |',
    ]


def test_details_set_each_map_beside_random_ones(script, cells):
    text = script['details'](cells)
    moving, still = text.split('\n\nstill:\n\n')
    head, _, columns, rule, *lines = moving.splitlines()
    assert (head, rule) == ('moving:', '|' + '---|' * 9)
    assert columns == '| ' + ' | '.join(script['COLUMNS']) + ' |'
    assert lines == [
        '| `stbta` | 3 of 4 | Grad-CAM | time | 0.12, 0.50 | 0.75, 0.75 '
        '| +0.06 [-0.06, +0.19] | 1.00, -0.25 | no |',
        '| `slowfast_attn` | 2 of 4 | Grad-CAM | space | 0.25, 0.50 | 0.75, 0.75 '
        '| -0.25 [-0.38, -0.12] | 0.50, none | misleads |',
        '|  |  | `fast.frame_weights` | time | 0.25, 0.50 | 0.75, 0.75 '
        '| +0.38 [+0.25, +0.50] | 0.50, none | no, uniform |',
    ]
    assert still.splitlines()[2:] == [
        '| `stbta` | 4 of 4 | Grad-CAM | time | 0.12, 0.50 | 0.75, 0.75 '
        '| +0.25 [+0.12, +0.38] | 1.00, -0.25 | yes |'
    ]
