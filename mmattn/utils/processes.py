"""Work spread over processes."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.connection import Connection
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


class TimeLimited:
    """Call a function in another process, which is ended where it hangs or crashes.

    For libraries that cannot be trusted with every file.  The process starts with the
    first call, and anew after it was ended.

    Args:
        function: Importable; takes and returns what can be pickled.
        seconds: Longest time of a call.

    Example:
        >>> from math import sqrt
        >>> with TimeLimited(sqrt, seconds=60) as limited:
        ...     limited(9.0)
        3.0
    """

    def __init__(self, function: Callable[..., Any], *, seconds: float) -> None:
        self.function = function
        self.seconds = seconds
        self._process: Any = None
        self._pipe: Any = None

    def __enter__(self) -> 'TimeLimited':
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def __call__(self, *args: Any) -> Any:
        """Return what the function returns.

        Args:
            args: Its arguments.

        Raises:
            TimeoutError: If it takes too long.
            ChildProcessError: If its process ends, as of a crash.
            Exception: What the function raises.
        """
        try:
            if self._process is None:
                self._start()
            self._pipe.send(args)
            if not self._pipe.poll(self.seconds):
                self.end()
                raise TimeoutError(f'no result after {self.seconds:g} s')
            result, error = self._pipe.recv()
        except (EOFError, BrokenPipeError):
            self.end()
            raise ChildProcessError('the process crashed') from None
        if error is not None:
            raise error
        return result

    def end(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context('spawn')
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(self.function, theirs), daemon=True
        )
        self._process.start()
        theirs.close()
        self._pipe.recv()  # says that it has started, which does not count as time


def _serve(function: Callable[..., Any], pipe: Connection) -> None:
    cv2.setNumThreads(0)
    pipe.send(None)
    while True:
        try:
            args = pipe.recv()
        except EOFError:  # the parent has ended
            return
        try:
            pipe.send((function(*args), None))
        except Exception as error:
            pipe.send((None, error))
