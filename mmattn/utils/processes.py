"""Work spread over processes."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import cv2


def in_processes(
    function: Callable[[Any], Any], tasks: Iterable[Any], *, workers: int
) -> Iterator[Any]:
    """Yield the results of a function for many tasks, as they are ready.

    Args:
        function: What to do with a task; importable, so that processes find it.
        tasks: Its arguments, one each.
        workers: Processes; up to 1 works in this process, in order.  With more, a
            script needs the usual `if __name__ == '__main__':`.

    Raises:
        BrokenProcessPool: If a process dies, as of lack of memory.

    Example:
        >>> list(in_processes(abs, [-1, 2], workers=1))
        [1, 2]
    """
    if workers <= 1:
        yield from map(function, tasks)
        return
    # A forked process could inherit a locked thread pool of torch or OpenCV.
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context('spawn'),
        initializer=cv2.setNumThreads,
        initargs=(0,),
    )
    try:
        for future in as_completed([pool.submit(function, task) for task in tasks]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
