"""Python scripts in processes that begin with the stack imported.

A process of its own costs what importing costs; where a test is not about that, these
are forked from a clean one that has imported everything.
"""

import gc
import multiprocessing
import os
import random
import runpy
import socket
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

IMPORTED = ('mmattn.engine', 'mmattn.models', 'mmattn.datasets', 'mmattn.evaluation')
IMPORTED += ('mmaction.engine', 'mmaction.models', 'mmaction.datasets', 'cv2', 'scipy')


def start(words, *, folder=None, env=None, processes=1):
    """Run a script, as ``python SCRIPT ...`` in a folder would.

    Args:
        words: The script and its arguments.
        folder: Where it runs.
        env: Variables to add to the environment.
        processes: Number of them, with the variables by which ranks meet.

    Returns:
        Of all processes: the first exit code that is not 0, and what they wrote.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(list(IMPORTED))
    words = [str(word) for word in words]
    with tempfile.TemporaryDirectory() as logs:
        ranks = [{}]
        if processes > 1:
            meet = dict(MASTER_ADDR='localhost', MASTER_PORT=str(free_port()))
            meet['WORLD_SIZE'] = str(processes)
            ranks = [
                dict(meet, RANK=str(k), LOCAL_RANK=str(k)) for k in range(processes)
            ]
        started = []
        for k, rank in enumerate(ranks):
            variables = {**os.environ, **(env or {}), **rank}
            arguments = words, folder or os.getcwd(), variables, f'{logs}/{k}'
            started.append(context.Process(target=_run, args=arguments))
            started[-1].start()
        for process in started:
            process.join()
        codes = [process.exitcode for process in started if process.exitcode]
        out, err = (
            ''.join(file.read_text() for file in sorted(Path(logs).glob(f'*.{end}')))
            for end in ('out', 'err')
        )
    return subprocess.CompletedProcess(words, codes[0] if codes else 0, out, err)


def free_port():
    """A port that nobody listens at."""
    with socket.socket() as place:
        place.bind(('localhost', 0))
        return place.getsockname()[1]


def _run(words, folder, env, log):
    for number, end in ((1, 'out'), (2, 'err')):
        os.dup2(os.open(f'{log}.{end}', os.O_WRONLY | os.O_CREAT, 0o600), number)
    sys.stdout, sys.stderr = open(1, 'w'), open(2, 'w')  # noqa: SIM115
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    multiprocessing.set_start_method('fork', force=True)  # as where none was set
    warnings.resetwarnings()
    gc.freeze()
    random.seed()
    np.random.seed()
    sys.argv = words
    sys.path.insert(0, str(Path(words[0]).parent))
    runpy.run_path(words[0], run_name='__main__')
