"""Kill tiny training runs at seeded moments, resume them, and compare the ends.

python chaos.py FOLDER SEED KILLS

Imports once and forks a process for each run. Prints the outcomes as JSON, one a
line; those that begin with LOSS should not be.
"""

import ctypes
import gc
import itertools
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, init_default_scope
from mmengine.runner import Runner

from mmattn.engine.host_tools import stops_in_one_sentence

sys.path.insert(0, str(Path(__file__).parent))
from forked import free_port
from tiny_runs import tiny_config

LIMIT = 180  # seconds of a run, on a machine that is busy
REASONS = (  # to refuse a resumed run
    'expected a checkpoint written after an update',
    'resume: expected a whole checkpoint in',
)
OPTIONS = (  # two loops; accumulation divides no interval
    dict(by_epoch=True, steps=3),
    dict(by_epoch=True, steps=3, accumulate=4, clip=True),
    dict(by_epoch=True, steps=3, ema=True, bf16=True),
    dict(by_epoch=False, steps=14, interval=3),
    dict(by_epoch=False, steps=14, interval=4, accumulate=3, ema=True),
    dict(by_epoch=False, steps=14, interval=3, bf16=True, clip=True, keep=1),
)
HALF = 9000  # bytes, about half of a checkpoint and more than a log

# Most of a tiny run's time goes into the layout of its config's text.
Config.pretty_text = property(lambda cfg: repr(cfg.to_dict()))


@HOOKS.register_module()
class ActHook(Hook):
    """Call a function with the work folder before an iteration."""

    priority = 'VERY_LOW'

    def __init__(self, iteration, act):
        self.iteration, self.act = iteration, act

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            ACTS[self.act](Path(runner.work_dir))


def end_files_at(size, action):
    """Let the kernel refuse the rest of a file: by a kill, or as a full disk does."""
    signal.signal(signal.SIGXFSZ, action)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def make_read_only(folder):
    """Take the right to write, also from the superuser."""
    if os.geteuid() == 0:
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)())
    for path in [folder, *folder.rglob('*')]:
        path.chmod(0o500 if path.is_dir() else 0o400)


def die(number):
    return lambda folder: os.kill(os.getpid(), number)


ACTS = {
    'step': die(signal.SIGKILL),
    'SIGTERM': die(signal.SIGTERM),
    'Ctrl-C': die(signal.SIGINT),
    'write': lambda folder: end_files_at(HALF, signal.SIG_DFL),
    'full disk': lambda folder: end_files_at(HALF, signal.SIG_IGN),
    'read-only folder': make_read_only,
    'deleted folder': shutil.rmtree,
}
MOMENTS = ('step', 'file', 'write', 'SIGTERM', 'Ctrl-C')
FAULTS = ('full disk', 'read-only folder', 'deleted folder')


def watch_files(folder, die_at=None):
    """Count what happens to files of a folder; die at a number of it."""
    events = []

    def audit(event, args):
        if event not in ('open', 'os.rename', 'os.remove', 'os.mkdir'):
            return
        if event == 'open' and not (args[1] and set(args[1]) & set('wax+')):
            return
        if not str(args[0]).startswith(str(folder)):
            return
        events.append(event)
        if len(events) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)
    return events


def train(folder, options, *, resume=False, moment=None, at=0, rank=None):
    """The work of a forked process."""
    torch.set_num_threads(1)
    # Shells let their background jobs ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    cfg = tiny_config(**options)
    cfg.work_dir, cfg.resume = str(folder), resume
    if rank is not None:
        cfg.launcher = 'pytorch'
    if moment in ACTS:
        hook = dict(type='mmengine.ActHook', iteration=at, act=moment)
        cfg.custom_hooks.append(hook)
    events = watch_files(folder, at if moment == 'file' else None)
    with stops_in_one_sentence(lambda: str(folder)):
        Runner.from_cfg(cfg).train()
    return len(events)


def start(log, **arguments):
    """Fork a process that trains; its output goes to a file."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        events = train(**arguments)
        Path(f'{log}.events').write_text(str(events))
        code = 0
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait(children):
    """Exit codes, or negative signals; None for one that had to be ended."""
    codes = {}
    end = time.monotonic() + LIMIT
    while len(codes) < len(children):
        for child in children:
            if child not in codes:
                done, status = os.waitpid(child, os.WNOHANG)
                if done:
                    codes[child] = os.waitstatus_to_exitcode(status)
                elif time.monotonic() > end:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    codes[child] = None
        time.sleep(0.02)
    return [codes[child] for child in children]


def run(log, *, processes=1, kill_rank=0, moment=None, at=0, **arguments):
    """Train in one process or in two, of which one may be killed."""
    if processes == 1:
        return wait([start(log, moment=moment, at=at, **arguments)])
    port = free_port()
    os.environ.update(
        MASTER_ADDR='localhost', MASTER_PORT=str(port), WORLD_SIZE=str(processes)
    )
    children = []
    for rank in range(processes):
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
        killed = dict(moment=moment, at=at) if rank == kill_rank else {}
        children.append(start(f'{log}.{rank}', rank=rank, **killed, **arguments))
    return wait(children)


def ending(folder):
    """Everything by which two finished runs may differ."""
    last = Path((folder / 'last_checkpoint').read_text())
    (best,) = folder.glob('best_*.pth')
    contents = {}
    for path in (folder / last.name, best):
        content = torch.load(path)
        for key in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'):
            contents[path.name, key] = content.get(key)
    return contents


def equal(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def text_of(log):
    parts = sorted(log.parent.glob(f'{log.name}*'))
    return ''.join(x.read_text() for x in parts if x.suffix != '.events')


def judge(folder, log, codes, expected):
    """Name the outcome of a resumed run."""
    if any(code is None for code in codes):
        return 'LOSS: hangs'
    text = text_of(log)
    if any(codes):
        for reason in REASONS:
            if reason in text:
                return 'refused with reason'
        return f'LOSS: exit codes {codes}: {text[-1500:]}'
    halves = [x.name for x in folder.iterdir() if '.part' in x.name]
    if halves:
        return f'LOSS: left {halves}'
    try:
        found = ending(folder)
    except Exception as error:
        return f'LOSS: {error!r} with {sorted(x.name for x in folder.iterdir())}'
    if equal(found, expected):
        return 'resumed bit-identical'
    names = sorted({name for name, _ in found} ^ {name for name, _ in expected})
    return f'LOSS: differs, {names or "in values"}'


def whole_before(folder):
    """Checkpoints that load; one that does not is a loss."""
    for path in folder.glob('*.pth'):
        torch.load(path)
    return sorted(path.name for path in folder.glob('*.pth'))


def disturb(folder, what):
    """Change what a killed run has left; tell where it is then."""
    newest = max(folder.glob('epoch_*.pth'), default=None)
    if what == 'moved':
        return folder.rename(folder.with_name(f'{folder.name}_moved'))
    if what == 'empty marker' and newest:
        (folder / 'last_checkpoint').write_text('')
    if what == 'half file' and newest:
        newest.write_bytes(newest.read_bytes()[:HALF])
    return folder


def cases(rng, kills, events):
    """Options, number of processes, moment and its place, of every run to disturb."""
    moments = itertools.cycle(MOMENTS)
    for number in range(kills):
        which = number % len(OPTIONS)
        iterations = OPTIONS[which]['steps'] * (6 if OPTIONS[which]['by_epoch'] else 1)
        moment = next(moments)
        last = events[which] if moment == 'file' else iterations
        yield which, 1, moment, rng.randrange(1, last)
    for fault in FAULTS:
        yield 0, 1, fault, 7
        yield 3, 1, fault, 4
    for which in (0, 1, 4, 5):
        yield which, 2, 'step', rng.randrange(5, 9)


def main():
    folder, seed, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    init_default_scope('mmengine')
    gc.freeze()  # MMEngine collects garbage for each data set
    references, events = {}, []

    def refer(which, processes):
        place = folder / f'whole_{which}_{processes}'
        codes = run(
            Path(f'{place}.log'),
            folder=place,
            options=OPTIONS[which],
            processes=processes,
        )
        if any(codes):
            raise SystemExit(f'{which}: {codes}: {text_of(Path(f"{place}.log"))}')
        references[which, processes] = ending(place)

    for which in range(len(OPTIONS)):
        refer(which, 1)
        events.append(int((folder / f'whole_{which}_1.log.events').read_text()))
    for number, case in enumerate(cases(rng, kills, events)):
        which, processes, moment, at = case
        if (which, processes) not in references:
            refer(which, processes)
        workers = [rng.choice((0, 0, 0, 1, 2)) for _ in range(2)]
        place, log = folder / f'run_{number}', folder / f'run_{number}.log'
        told = dict(options=OPTIONS[which], workers=workers, processes=processes)
        told.update(moment=moment, at=at)
        told['codes'] = run(
            log,
            folder=place,
            options=dict(OPTIONS[which], workers=workers[0]),
            processes=processes,
            moment=moment,
            at=at,
        )
        told['outcome'] = outcome_of_stop(moment, log, told['codes'])
        if not told['outcome'] and place.exists():
            place.chmod(0o700)
            told['kept'] = whole_before(place)
            told['then'] = rng.choice(('', '', 'moved', 'empty marker', 'half file'))
            place = disturb(place, told['then'])
        if not told['outcome']:
            log = folder / f'resumed_{number}.log'
            codes = run(
                log,
                folder=place,
                options=dict(OPTIONS[which], workers=workers[1]),
                processes=processes,
                resume=True,
            )
            told['outcome'] = judge(place, log, codes, references[which, processes])
        print(json.dumps(told), flush=True)


def outcome_of_stop(moment, log, codes):
    """What is wrong with how a run stopped; empty if nothing is."""
    if codes == [0]:
        return 'not hit'
    if any(code is None for code in codes):
        return 'LOSS: hangs'
    text = text_of(log)
    clear = 'Traceback' not in text and text.count('stopped: ') == 1
    if moment in ('SIGTERM', 'Ctrl-C', *FAULTS) and not clear:
        return f'LOSS: no clear sentence: {text[-1500:]}'
    return ''


if __name__ == '__main__':
    main()
