"""Memory of the process that measures."""

import ctypes
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # of malloc.h
Result = TypeVar('Result')


def in_new_process(function: Callable[..., Result], *args: object) -> Result:
    """What a function of a module returns in a process of its own."""
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        return pool.apply(function, args)


def resident_peak() -> int:
    """Most memory of this process so far, in bytes; Linux only.

    ``getrusage`` would not do: its ``ru_maxrss`` counts the parent's memory too.
    """
    lines = Path('/proc/self/status').read_text().splitlines()
    (kilobytes,) = [line.split()[1] for line in lines if line.startswith('VmHWM')]
    return 1024 * int(kilobytes)


def return_freed_memory() -> None:
    """Give large tensors pages of their own, which go back once freed; glibc only."""
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 65536)


def keep_freed_memory() -> None:
    """Let the allocator keep what is freed, as that of a GPU does; glibc only.

    Otherwise each step gives gigabytes back to the system, and waits for it to clear
    the pages of the next: that differs from run to run more than what is measured.
    """
    libc = ctypes.CDLL(None)
    libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(M_MMAP_MAX, 0)
