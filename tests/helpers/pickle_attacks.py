"""Hostile pickles, one or more for each name and opcode that the readers know.

Beside them stand harmless ones (``fine: ...``), made in the same way: were the opcodes
written wrongly here, every attack would be refused for that alone.

Run as a program, it tries the attacks of one reader in a process beside itself, since
one that works may end it, and prints what became of each.
"""

import json
import os
import pickle
import struct
import sys
import zipfile
from pathlib import Path

CORE = ('numpy.core', 'numpy._core')
LATIN = b'c_codecs\nencode\n'


class Raw(bytes):
    """Opcodes that leave one object on the stack."""


def name(path):
    module, _, attribute = path.rpartition('.')
    return Raw(f'c{module}\n{attribute}\n'.encode())


def dump(value):
    """Write opcodes of protocol 2, which both readers know."""
    if isinstance(value, Raw):
        return bytes(value)
    if value is None or isinstance(value, bool):
        return {None: b'N', True: b'\x88', False: b'\x89'}[value]
    if isinstance(value, int):
        size = value.bit_length() // 8 + 1
        return b'\x8a' + bytes([size]) + value.to_bytes(size, 'little', signed=True)
    if isinstance(value, float):
        return b'G' + struct.pack('>d', value)
    if isinstance(value, str):
        text = value.encode()
        return b'X' + struct.pack('<I', len(text)) + text
    if isinstance(value, bytes):
        return LATIN + dump((value.decode('latin1'), 'latin1')) + b'R'
    if isinstance(value, tuple):
        return b'(' + b''.join(map(dump, value)) + b't'
    if isinstance(value, list):
        return b'](' + b''.join(map(dump, value)) + b'e'
    pairs = b''.join(dump(key) + dump(item) for key, item in value.items())
    return b'}(' + pairs + b'u'


def call(function, *args):
    return Raw(dump(function) + dump(args) + b'R')


def new(kind, *args):
    return Raw(dump(kind) + dump(args) + b'\x81')


def build(target, state):
    return Raw(dump(target) + dump(state) + b'b')


def twice(target, state, other):
    return build(build(target, state), other)


NDARRAY, DTYPE = name('numpy.ndarray'), name('numpy.dtype')
F8 = call(DTYPE, 'f8', False, True)
PLAIN_STATE = (3, '<', None, None, None, -1, -1, 0)
POINTER = b'\x10' * 8  # an address of nothing, where it is taken for one
HISTORY = name('mmengine.logging.history_buffer.HistoryBuffer')
GETATTR = name('builtins.getattr')


def empty(core='numpy._core'):
    return call(name(f'{core}.multiarray._reconstruct'), NDARRAY, (0,), b'b')


def array(numbers):
    content = struct.pack(f'<{len(numbers)}d', *numbers)
    return build(empty(), (1, (len(numbers),), F8, False, content))


def history(logs, counts, length=100, **more):
    state = dict(_log_history=logs, _count_history=counts, max_length=length, **more)
    return build(new(HISTORY), state)


def array_attacks():
    """Attacks that both readers have to withstand."""
    yield 'fine: array', array([1.0, 2.0])
    yield 'fine: type', build(F8, PLAIN_STATE)
    for core in CORE:
        full = (1, (2, 1), build(F8, PLAIN_STATE), True, bytes(16))
        yield f'fine: {core} array', build(empty(core), full)
        for function, *args in (
            ('multiarray.scalar', F8, POINTER),
            ('numeric._frombuffer', bytes(16), F8, (2, 1), 'K', (1, 0)),
        ):
            yield f'fine: {core}.{function}', call(name(f'{core}.{function}'), *args)
    kinds = ('O', 'O8', '|O', 'V8', 'S8', 'U2', 'M8[s]', 'm8', 'f8,f8', '(2,)f8', '8p')
    for kind in (*kinds, [('a', 'O')], {'names': ['a'], 'formats': ['O']}, ('f8', 2)):
        yield f'numpy.dtype {kind}', call(DTYPE, kind, False, True)
        yield f'numpy.dtype new {kind}', new(DTYPE, kind)
    fields = {'a': (call(DTYPE, 'i8', False, True), 0)}
    states = [
        (3, '|', None, ('a',), fields, 8, 8, 27),
        (3, '|', None, None, None, 8, 8, 63),
        (3, '|', None, None, None, -1, -1, 63),
        (3, '<', (F8, (2,)), None, None, -1, -1, 0),
        (4, '<', None, None, None, -1, -1, 0, {}),
        (3, 'O', None, None, None, -1, -1, 0),
        (3, ['<'], None, None, None, -1, -1, 0),
        (),
        None,
        {'dtype': 'O'},
        (None, {'dtype': 'O'}),
    ]
    for state in states:
        yield f'numpy.dtype state {str(state)[:60]}', build(F8, state)
    yield 'numpy.ndarray called', call(NDARRAY, (1,), 'O', POINTER)
    yield 'numpy.ndarray called with type', call(NDARRAY, (1,), F8, POINTER)
    yield 'numpy.ndarray new', new(NDARRAY, (1,), 'O', POINTER)
    yield 'numpy.ndarray class state', build(NDARRAY, (None, {'__setstate__': DTYPE}))
    for core in CORE:
        rebuild = name(f'{core}.multiarray._reconstruct')
        for args in (
            (NDARRAY, (0,), b'O'),
            (NDARRAY, (9,), b'b'),
            (NDARRAY, (2**40,), b'd'),
            (DTYPE, (0,), b'b'),
            (NDARRAY, (0,), b'b', 1),
        ):
            title = f'{args[0][1:-1]} {args[1:]}'
            yield f'{core}.multiarray._reconstruct {title}', call(rebuild, *args)
        yield f'{core} _reconstruct state', build(rebuild, {'a': 1})
        yield (
            f'{core} _reconstruct slots',
            build(rebuild, (None, {'__defaults__': (1,), '__kwdefaults__': {}})),
        )
        for case, args in {
            'object': (call(DTYPE, 'O', False, True), POINTER),
            'long': (F8, bytes(9)),
            'short': (F8, bytes(7)),
            'none': (F8,),
            'text': (F8, 'x' * 8),
            'no type': ('f8', POINTER),
            'object itself': (F8, [1]),
        }.items():
            yield (
                f'{core}.multiarray.scalar {case}',
                call(name(f'{core}.multiarray.scalar'), *args),
            )
        buffer = name(f'{core}.numeric._frombuffer')
        for case, args in {
            'object': (POINTER, call(DTYPE, 'O', False, True), (1,), 'C'),
            'type by name': (POINTER, 'O', (1,), 'C'),
            'shape': (POINTER, F8, (2,), 'C'),
            'negative': (POINTER, F8, (-1,), 'C'),
            'two negatives': (POINTER, F8, (-1, -1), 'C'),
            'order': (POINTER, F8, (1,), 'A'),
            'axes': (POINTER, F8, (1,), 'K', (5,)),
            'not bytes': ([1], F8, (1,), 'C'),
        }.items():
            yield f'{core}.numeric._frombuffer {case}', call(buffer, *args)
    for case, state in {
        'object': (1, (1,), call(DTYPE, 'O', False, True), False, [1]),
        'list': (1, (1,), F8, False, [1]),
        'text': (1, (1,), F8, False, 'x' * 8),
        'long': (1, (1,), F8, False, bytes(16)),
        'short': (1, (2,), F8, False, bytes(8)),
        'huge': (1, (2**40,), F8, False, b''),
        'overflow': (1, (2**62, 4), F8, False, b''),
        'overflow to bytes': (1, (2**61 + 1,), F8, False, bytes(8)),
        'overflow and none': (1, (2**62, 2**62, 0), F8, False, b''),
        'negative': (1, (-1,), F8, False, bytes(8)),
        'two negatives': (1, (-1, -1), F8, False, bytes(8)),
        'flags as sizes': (1, (True,), F8, False, bytes(8)),
        'many axes': (1, (1,) * 70, F8, False, bytes(8)),
        'list of sizes': (1, [1], F8, False, bytes(8)),
        'type by name': (1, (1,), 'f8', False, bytes(8)),
        'class as type': (1, (1,), DTYPE, False, bytes(8)),
        'no version': ((1,), F8, False, bytes(8)),
        'other version': (0, (1,), F8, False, bytes(8)),
        'dictionary': {'a': 1},
        'nothing': None,
    }.items():
        yield f'numpy.ndarray state {case}', build(empty(), state)
    full = (1, (1,), F8, False, bytes(8))
    yield 'numpy.ndarray state twice', twice(empty(), full, full)
    small = call(DTYPE, 'i1', False, True)
    once = (1, (3,), small, False, bytes(3))
    yield 'numpy.ndarray state twice, bytes', twice(empty(), once, full)
    yield 'numpy.ndarray as a list', Raw(dump(array([1.0])) + dump(2) + b'a')
    yield 'numpy.ndarray as lists', Raw(dump(array([1.0])) + b'(' + dump(2) + b'e')
    yield (
        'numpy.ndarray as a dictionary',
        Raw(dump(array([1.0])) + dump(0) + dump(2) + b's'),
    )
    yield (
        'numpy.ndarray as dictionaries',
        Raw(dump(array([1.0])) + b'(' + dump(0) + dump(2) + b'u'),
    )
    yield 'list as a dictionary', Raw(dump([1]) + dump(0) + dump(2) + b's')
    yield 'other numpy names', call(name('numpy.save'), 'executed', 1)
    yield 'numpy.core records', call(name('numpy.core.multiarray.fromstring'), b'1')
    for code in (b'\x82\x01', b'\x83\x01\x01', b'\x84\x01\x01\x01\x01'):
        yield f'extension {code[0]:x}', Raw(code)
    yield 'persistent id', Raw(dump('storage') + b'Q')
    yield 'persistent id as text', Raw(b'Pstorage\n')
    yield 'inst', Raw(b'(' + dump('touch executed') + b'ios\nsystem\n')
    yield 'obj', Raw(b'(cos\nsystem\n' + dump('touch executed') + b'o')
    yield 'memo of nothing', Raw(b'h\x07')
    yield 'memo of nothing, long', Raw(b'j\xff\xff\xff\xff')
    yield 'out-of-band buffer', Raw(b'\x97')
    yield 'empty stack', Raw(b'b')
    yield 'empty stack, call', Raw(b'R')
    yield 'empty stack, mark', Raw(b'e')
    yield 'huge text', Raw(b'X\xff\xff\xff\xffx')


def torch_attacks():
    """Attacks on what only checkpoints may name."""
    yield from array_attacks()
    for owner, asked in (
        (HISTORY, '__init__'),
        (HISTORY, '__setstate__'),
        (HISTORY, '__class__'),
        (NDARRAY, 'tobytes'),
        (NDARRAY, 'max'),
        ('text', 'upper'),
        (call(name('torch.Size'), (1,)), 'min'),
    ):
        yield f'builtins.getattr {asked} of {owner[:9]}', call(GETATTR, owner, asked)
    yield 'builtins.getattr state', build(GETATTR, (None, {'__defaults__': (1,)}))
    title = 'mmengine.logging.history_buffer.HistoryBuffer'
    one, none = array([1.0]), array([])
    methods = {'mean': call(GETATTR, HISTORY, 'mean')}
    yield 'fine: history', history(one, one, statistics_methods=methods)
    yield f'{title} called', call(HISTORY, [1], [1])
    yield f'{title} new', new(HISTORY, [1], [1])
    yield f'{title} class state', build(HISTORY, (None, {'mean': GETATTR}))
    yield f'{title} slots', build(new(HISTORY), (None, {'mean': GETATTR}))
    yield f'{title} without rows', build(new(HISTORY), {'statistics_methods': {}})
    yield f'{title} lists', history([1.0], [1.0])
    yield f'{title} lengths', history(one, none)
    yield f'{title} max_length', history(one, one, '100')
    yield f'{title} shorter', history(one, one, 0)
    yield f'{title} twice', build(history(one, one), {'mean': 1})
    # A tensor over the memory of an array that is then filled anew.
    over = call(
        name('torch._utils._rebuild_device_tensor_from_numpy'),
        Raw(b'h\x07'),
        name('torch.float64'),
        'cpu',
        False,
    )
    full = dump((1, (4096,), F8, False, bytes(4096 * 8)))
    first = dump(empty()) + b'q\x07' + full + b'b'
    yield (
        'tensor over a freed array',
        Raw(b'(' + first + over + b'h\x07' + full + b'bt'),
    )


def plain_attacks():
    """Attacks on what only our own reader may find."""
    import torch

    yield from array_attacks()
    yield 'new', new(name('collections.OrderedDict'))
    yield 'new with names', Raw(dump(name('collections.OrderedDict')) + b')}\x92')
    yield 'dup', Raw(dump([1]) + b'2\x86')
    for codec in ('utf-16', 'hex', 'zlib', 'rot13', None, 'latin-1'):
        yield f'_codecs.encode {codec}', call(name('_codecs.encode'), 'text', codec)
    yield '_codecs.encode bytes', call(name('_codecs.encode'), b'text', 'latin1')
    for module in ('builtins', '__builtin__'):
        yield f'{module}.bytes of many', call(name(f'{module}.bytes'), 2**40)
        yield f'{module}.bytes state', build(name(f'{module}.bytes'), {'a': 1})
    ordered = name('collections.OrderedDict')
    yield 'collections.OrderedDict of pairs', call(ordered, [('a', 1)])
    yield 'collections.OrderedDict state', build(call(ordered), {'keys': 1})
    yield 'collections.OrderedDict class state', build(ordered, (None, {'keys': 1}))
    for sizes in ((-1,), (2**62,), (True,), ['a'], 'ab', 5):
        yield f'torch.Size {sizes}', call(name('torch.Size'), sizes)
    content = pickle.dumps(torch.arange(6.0).untyped_storage(), 2)
    typed = torch.arange(6.0)._typed_storage().__reduce__()[1][0]
    of_bytes = name('torch.storage._load_from_bytes')
    storage = call(of_bytes, typed)
    yield 'torch.storage._load_from_bytes untyped', call(of_bytes, content)
    yield 'torch.storage._load_from_bytes half', call(of_bytes, typed[:-20])
    yield 'torch.storage._load_from_bytes text', call(of_bytes, 'text')
    yield 'torch.storage._load_from_bytes state', build(of_bytes, {'a': 1})
    tensor = name('torch._utils._rebuild_tensor_v2')
    hooks = call(ordered)
    for offset, size, stride in (
        (0, (7,), (1,)),
        (6, (1,), (1,)),
        (0, (2, 3), (4, 1)),
        (0, (3,), (3,)),
        (0, (2**40,), (0,)),
        (-1, (1,), (1,)),
        (5, (2,), (-1,)),
        (0, (-1,), (1,)),
        (2**63, (1,), (1,)),
        (0, (2**62, 4), (1, 1)),
        (0, (2,), (1, 1)),
        (0, (2, 3), (1,)),
        (0, [6], [1]),
        (False, (6,), (1,)),
        (0, (6,), (True,)),
        (0.0, (6,), (1,)),
    ):
        yield (
            f'torch._utils._rebuild_tensor_v2 {offset}, {size}, {stride}',
            call(tensor, storage, offset, size, stride, False, hooks),
        )
    whole = (storage, 0, (6,), (1,), False, hooks)
    yield 'fine: tensor', call(tensor, *whole)
    yield 'fine: size', call(name('torch.Size'), (2, 3))
    yield 'fine: bytes', call(name('builtins.bytes'))
    yield 'fine: ordered', Raw(dump(hooks) + dump('a') + dump(1) + b's')
    yield (
        'torch._utils._rebuild_tensor_v2 conjugated',
        call(tensor, *whole, {'conj': True}),
    )
    yield (
        'torch._utils._rebuild_tensor_v2 of no storage',
        call(tensor, b'123456', 0, (6,), (1,), False, hooks),
    )
    yield (
        'tensor state',
        build(call(tensor, *whole), (storage, 0, (10**6,), (1,))),
    )
    yield 'tensor as a dictionary', Raw(dump(call(tensor, *whole)) + b'K\x00K\x01s')
    deep = b'(' * 200_000 + b't' * 200_000
    yield 'deep key', Raw(b'}' + deep + b'Ns')
    yield 'deep keys', Raw(b'}(' + deep + b'Nu')
    yield 'deep key of a text pickle', Raw(b'(' + deep + b'Nd')
    yield 'set', Raw(b'\x8f(' + deep + b'\x90')
    yield 'frozen set', Raw(b'(' + deep + b'\x91')
    yield 'huge bytes', Raw(b'\x8e' + struct.pack('<Q', 2**62) + b'x')
    yield 'huge text 8', Raw(b'\x8d' + struct.pack('<Q', 2**63 - 1) + b'x')
    yield 'huge buffer', Raw(b'\x96' + struct.pack('<Q', 2**62) + b'x')
    yield 'huge frame', Raw(b'\x95' + struct.pack('<Q', 2**62) + b'N')
    yield 'huge number', Raw(b'\x8b\xff\xff\xff\x7fx')
    yield 'negative number', Raw(b'\x8b\xff\xff\xff\xffx')


ATTACKS = {'load_pickle': plain_attacks, 'torch.load': torch_attacks}


def write(reader, content, path):
    """Put opcodes where a reader expects them."""
    program = b'\x80\x02' + content + b'.'
    if reader == 'load_pickle':
        path.write_bytes(program)
        return
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('archive/data.pkl', program)
        file.writestr('archive/version', '3\n')


def outcomes(reader, attacks, path):
    """Read each in a process that may end, and say what became of it."""
    results = {}
    while len(results) < len(attacks):
        ends, starts = os.pipe()
        child = os.fork()
        if child == 0:
            for title, content in attacks[len(results) :]:
                write(reader, content, path)
                try:
                    text = f'accepted: {repr(read(reader, path))[:200]}'
                except Exception as error:
                    text = f'refused: {type(error).__name__}: {str(error)[:200]}'
                os.write(starts, f'{json.dumps([title, text])}\n'.encode())
            os._exit(0)
        os.close(starts)
        with os.fdopen(ends) as file:
            results.update(json.loads(line) for line in file)
        _, status = os.waitpid(child, 0)
        if status:
            results[attacks[len(results)][0]] = f'ended: {status}'
    return results


def read(reader, path):
    import torch

    from mmattn.utils.safe_pickle import load_pickle

    if reader == 'load_pickle':
        return load_pickle(path)
    return torch.load(path, weights_only=True)


def main():
    reader, folder = sys.argv[1], Path(sys.argv[2])
    import mmengine.logging  # noqa: F401  (once, not in every child)
    import torch  # noqa: F401

    import mmattn  # noqa: F401  (opens torch's reader for MMEngine's checkpoints)

    attacks = list(ATTACKS[reader]())
    assert len(dict(attacks)) == len(attacks), 'expected each title once'
    print(json.dumps(outcomes(reader, attacks, folder / 'a.pkl')))


if __name__ == '__main__':
    main()
