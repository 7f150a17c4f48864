"""``pytest --quick``: the tests that fit into a minute, by how long each took last.

Every run with pytest's cache notes the seconds of its tests. With ``--quick`` the
shortest ones run whose sum fits, and those that no run has met yet.
"""

from typing import Any

import pytest

SECONDS = 45  # of each worker, beside what starting takes
KEY = 'mmattn/seconds'


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption('--quick', action='store_true', help=__doc__)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, 'workerinput'):
        config.pluginmanager.register(_Stopwatch(config))


def keep_quick(config: pytest.Config, items: list) -> None:
    """Keep what fits, where ``--quick`` asks for it."""
    if not config.getoption('quick'):
        return
    inside = getattr(config, 'workerinput', {})
    workers = inside.get('workercount') or 1
    keep = chosen([item.nodeid for item in items], known(config), SECONDS * workers)
    left_out = [item for item in items if item.nodeid not in keep]
    items[:] = [item for item in items if item.nodeid in keep]
    config.hook.pytest_deselected(items=left_out)


def known(config: pytest.Config) -> dict[str, float]:
    """Return the seconds of tests by their names, of earlier runs."""
    cache = getattr(config, 'cache', None)
    return cache.get(KEY, {}) if cache else {}


def chosen(names: list[str], seconds: dict[str, float], budget: float) -> set[str]:
    """Return new tests and the shortest of the others, as many as fit the budget."""
    keep = {name for name in names if name not in seconds}
    total = 0.0
    for name in sorted(set(names) - keep, key=seconds.__getitem__):
        total += seconds[name]
        if total > budget:
            break
        keep.add(name)
    return keep


class _Stopwatch:
    """Notes how long tests take, set-up included."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        before = self.seconds.get(report.nodeid, 0.0)
        self.seconds[report.nodeid] = round(before + report.duration, 3)

    def pytest_sessionfinish(self) -> None:
        cache = getattr(self.config, 'cache', None)
        if cache:
            cache.set(KEY, known(self.config) | self.seconds)
