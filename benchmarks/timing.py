"""Timing of two functions against each other on a machine that others use too."""

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

RATIOS_VARIABLE = 'MMATTN_RATIOS'  # names a file that report() adds a line of JSON to


class Comparison(NamedTuple):
    """Ratio of two durations.

    Args:
        ratio: Median over the pairs of the time of ``a`` over that of ``b``.
        low: Lower end of the 95 % interval of the median.
        high: Upper end of it.
        seconds_a: Median time of ``a``.
        seconds_b: Median time of ``b``.
        pairs: Number of pairs measured.
    """

    ratio: float
    low: float
    high: float
    seconds_a: float
    seconds_b: float
    pairs: int


def interleaved(
    a: Callable[[], object],
    b: Callable[[], object],
    *,
    pairs: int = 20,
    warmup: int = 2,
    sync: Callable[[], object] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Time ``a`` and ``b`` in turn, and compare them pair by pair.

    Each pair runs in a random order, so that a drift of the machine's speed and the
    state in which one leaves the caches for the other fall on both alike.

    Args:
        a: First function, without arguments.
        b: Second function, without arguments.
        pairs: Pairs to time.
        warmup: Calls of each before the first pair.
        sync: Waits for an accelerator; by default for the GPU, if one is in use.
        clock: Tells seconds; ``time.process_time`` those of the processor, which a
            machine that others use changes less.

    Example:
        >>> interleaved(lambda: sum(range(9)), lambda: sum(range(9)), pairs=2).pairs
        2
    """
    sync = sync or wait_for_gpu
    for _ in range(warmup):
        a()
        b()
    order = random.Random(0)
    times_a, times_b = [], []
    for _ in range(pairs):
        if order.random() < 0.5:
            times_a.append(_duration(a, sync, clock))
            times_b.append(_duration(b, sync, clock))
        else:
            times_b.append(_duration(b, sync, clock))
            times_a.append(_duration(a, sync, clock))
    ratios = [x / y for x, y in zip(times_a, times_b, strict=True)]
    low, high = bootstrap_interval(ratios)
    return Comparison(
        statistics.median(ratios),
        low,
        high,
        statistics.median(times_a),
        statistics.median(times_b),
        pairs,
    )


def bootstrap_interval(
    values: list[float], *, level: float = 0.95, draws: int = 2000
) -> tuple[float, float]:
    """Percentile bootstrap interval of the median of ``values``.

    Args:
        values: Independent measurements.
        level: Coverage, 0 to 1.
        draws: Resamplings.

    Example:
        >>> bootstrap_interval([2.0, 2.0, 2.0])
        (2.0, 2.0)
    """
    generator = random.Random(0)
    medians = sorted(
        statistics.median(generator.choices(values, k=len(values)))
        for _ in range(draws)
    )
    tail = round((1 - level) / 2 * draws)
    return medians[tail], medians[-tail - 1]


def report(
    name: str,
    result: Comparison,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> bool:
    """Print a comparison and say whether its bound may hold.

    A bound is missed only if the whole interval lies beyond it. The comparison also
    goes as a line of JSON to the file that the variable ``MMATTN_RATIOS`` names.

    Args:
        name: What was compared, printed first.
        result: The comparison.
        at_least: Lower bound of the ratio.
        at_most: Upper bound of the ratio.
    """
    passed, bound = True, 'no bound'
    if at_least is not None:
        passed, bound = result.high >= at_least, f'bound >= {at_least:g}'
    if at_most is not None:
        passed, bound = result.low <= at_most, f'bound <= {at_most:g}'
    if path := os.environ.get(RATIOS_VARIABLE):
        line = dict(name=name, **result._asdict(), bound=bound, passed=passed)
        with open(path, 'a', encoding='utf-8') as file:
            file.write(json.dumps(line) + '\n')
    print(
        f'{name}: ratio {result.ratio:.3g} (95 % interval {result.low:.3g} to '
        f'{result.high:.3g}, {result.pairs} pairs; {result.seconds_a * 1e3:.1f} ms / '
        f'{result.seconds_b * 1e3:.1f} ms), {bound}: {"ok" if passed else "MISSED"}'
    )
    return passed


def wait_for_gpu() -> None:
    """Wait until the GPU has done all its work, if this process uses one."""
    torch = sys.modules.get('torch')
    if torch and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _duration(
    function: Callable[[], object],
    sync: Callable[[], object],
    clock: Callable[[], float],
) -> float:
    sync()
    start = clock()
    function()
    sync()
    return clock() - start
