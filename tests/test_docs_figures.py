"""Figures and names that a page repeats are those of their source."""

import re

from pages import ROOT, SPAN, table_with

DOCS = ROOT / 'docs'
LEAVES = [
    path.stem
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.relative_to(ROOT / 'configs').parts
]


def test_costs_are_those_of_the_full_table():
    every = {
        row['config']: row
        for row in table_with(DOCS / 'complexity.md', 'parameters, M')
    }
    rows = table_with(DOCS / 'choose_system.md', 'multiply-adds, G')
    assert len(rows) >= 10
    for row in rows:
        source = every[SPAN.findall(row.pop('config'))[0]]
        assert row == {key: source[key] for key in row}


def test_every_part_of_a_name_is_explained():
    rows = table_with(DOCS / 'config_names.md', 'part')
    known = {row['part']: set(SPAN.findall(row['values'])) for row in rows}
    assert len(LEAVES) > 70
    for name in LEAVES:
        system = max(filter(name.startswith, known['system']), key=len)
        first, network, schedule, data = name[len(system) :].split('_')
        assert first.lstrip('-') in known['variant'] | {''}, name
        weights = re.match(r'\w+-pre(?=-)', network)
        assert not weights or weights[0] in known['weights'], name
        assert re.fullmatch(r'\d+xb\d+(-\d+(x\d+)+)-\d+(e|kiter)', schedule), name
        modality = re.search(r'-((dis-)?flow|rgb)$', data)
        assert modality[1] in known['modality'], name
        assert data[: modality.start()] in known['data'], name
