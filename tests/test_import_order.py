"""Rooms of the package import what stands below them, never what stands above."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'mmattn'
# From the ground up; modules on one line are one floor.
FLOORS = (
    ('version', 'signatures', 'registry'),
    ('utils',),
    ('compat', 'compat_host', 'operators'),
    ('attention',),
    ('models',),
    ('datasets',),
    ('evaluation',),
    ('synthetic',),
    ('testing',),
    ('prepare',),
    ('inference',),
    ('visualization',),
    ('explain',),
    ('engine',),
    ('reports',),
    ('comparison',),
    ('front',),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
TOP = {'__init__', '__main__'}


def imported(tree: ast.AST) -> set[str]:
    """Modules of ours that a file names in any import, also inside functions."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            inner = node.module == 'mmattn'
            names = {f'mmattn.{x.name}' for x in node.names} if inner else {node.module}
            found |= names
    return {name for name in found if name.startswith('mmattn.')}


def room_of(module: str) -> str:
    """Second part of a dotted name."""
    return module.split('.')[1]


ROOMS = sorted(
    path.stem
    for path in PACKAGE.iterdir()
    if path.suffix == '.py' or (path / '__init__.py').exists()
)


def test_every_room_has_a_floor():
    assert set(ROOMS) - TOP == set(FLOOR)


def test_the_plan_lists_every_room_from_the_ground_up():
    plan = (PACKAGE.parent / 'CONTRIBUTING.md').read_text(encoding='utf-8')
    table = plan.split('| room of `mmattn` |')[1].split('\n\n')[0]
    rooms = [
        name.removesuffix('.py')
        for row in table.splitlines()[2:]
        for name in re.findall(r'`([^`]+)`', row.split('|')[1])
    ]
    assert sorted(rooms) == sorted(FLOOR)
    assert [FLOOR[room] for room in rooms] == sorted(FLOOR.values())


@pytest.mark.parametrize('room', sorted(FLOOR))
def test_imports_run_downwards(room):
    folder = PACKAGE / room
    files = (
        sorted(folder.rglob('*.py')) if folder.is_dir() else [PACKAGE / f'{room}.py']
    )
    wrong = [
        f'{path.relative_to(PACKAGE)} imports {name}'
        for path in files
        for name in sorted(imported(ast.parse(path.read_text())))
        if FLOOR.get(room_of(name), -1) > FLOOR[room]
    ]
    assert not wrong


def test_a_wrong_import_is_seen():
    found = imported(ast.parse('def f():\n    from mmattn import reports\n'))
    assert found == {'mmattn.reports'}
