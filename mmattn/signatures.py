"""Arguments checked against the annotations of the constructors that take them.

Registered classes check all of theirs when they are built
(:func:`checked`, called by our registries), so that a wrong type is named there and
not by an error deep inside torch.  :func:`check_config` does the same for the
components of ours in a whole config, and names their keys.

A check says no only to what an annotation rules out.  Lists and tuples stand for each
other, as config files of other formats know one of them; a whole number may stand for
a float, ``True`` for no number.  A float has to be finite.
"""

import functools
import inspect
import math
import numbers
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union

import numpy as np

Class = TypeVar('Class', bound=type)
EMPTY = inspect.Parameter.empty
SHOWN = 60  # characters of a value that a message shows
# Not all annotations of the stack are true.
UNTRUE = ('mmaction.models.backbones', 'mmcv', 'torch')
# Keys beside arguments in configs, which MMEngine takes out before it builds.
BESIDE = ('type', '_scope_', '_delete_', 'priority', 'constructor', 'paramwise_cfg')


class Bounds(NamedTuple):
    """Range of a number, both ends included.

    Args:
        low: Least value.
        high: Greatest value; None for no end.
    """

    low: float
    high: float | None = None

    def __str__(self) -> str:
        if self.high is None:
            return f'at least {self.low:g}'
        return f'from {self.low:g} to {self.high:g}'

    def hold(self, value: Any) -> bool:
        """Say whether a number lies between them.

        Args:
            value: The number.
        """
        return self.low <= value and (self.high is None or value <= self.high)


class Odd:
    """What is an odd number above 0."""

    def __str__(self) -> str:
        return 'above 0 and odd'

    def hold(self, value: Any) -> bool:
        """Say whether a number is one.

        Args:
            value: The number.
        """
        return value > 0 and value % 2 == 1


class Keys(NamedTuple):
    """Key that a dict needs.

    Args:
        key: The key.
    """

    key: str

    def __str__(self) -> str:
        return f'with the key {self.key!r}'

    def hold(self, value: Mapping) -> bool:
        """Say whether a dict has it.

        Args:
            value: The dict.
        """
        return self.key in value


Component = Annotated[dict, Keys('type')]
Positive = Annotated[int, Bounds(1)]
OddNumber = Annotated[int, Odd()]
NotNegative = Annotated[int, Bounds(0)]
Share = Annotated[float, Bounds(0, 1)]
Weight = Annotated[float, Bounds(0)]
# Arguments of the stack whose annotations are untrue, or say less.
OF_THE_STACK: dict[str, Any] = {
    'average_clips': str | None,
    'fps': Positive,
    'num_max_proposals': Positive,
    'start_index': NotNegative,
    'init_cfg': dict | list[dict] | None,
    **dict.fromkeys(
        (
            'backbone', 'bbox_head', 'bbox_roi_extractor', 'cls_head',
            'data_preprocessor', 'mask_head', 'neck', 'roi_head', 'rpn_head',
            'shared_head',
        ),
        Component,
    ),
}  # fmt: skip


class Argument(NamedTuple):
    """What a constructor takes by one name.

    Args:
        hint: Its annotation, ``Any`` where there is none.
        default: Its default, ``inspect.Parameter.empty`` where there is none.
    """

    hint: Any
    default: Any


class Signature(NamedTuple):
    """What a constructor takes by name.

    Args:
        arguments: Arguments by name, of base classes too where the rest goes to them.
        is_open: Whether it takes arguments of any other name.
    """

    arguments: dict[str, Argument]
    is_open: bool


def fits(value: Any, hint: Any) -> bool:
    """Say whether a value is of an annotated type.

    Args:
        value: The value.
        hint: The annotation.

    Example:
        >>> fits(3, float), fits(True, int), fits([7, 7], tuple[int, int])
        (True, False, True)
        >>> fits([7], tuple[int, int]), fits(0, Positive), fits(float('nan'), float)
        (False, False, False)
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in args)
    if origin is Annotated:
        return fits(value, args[0]) and all(part.hold(value) for part in args[1:])
    if origin is Literal:
        return any(type(value) is type(part) and value == part for part in args)
    if hint is None or hint is types.NoneType:
        return value is None
    kind = origin or hint
    if not isinstance(kind, type) or kind in (object, Any):
        return not isinstance(value, float) or math.isfinite(value)
    if issubclass(kind, (list, tuple)) or kind is Sequence:
        return _is_sequence(value) and _items_fit(value, kind, args)
    if kind is Callable or kind is typing.get_origin(Callable):
        return callable(value)
    if not _is_instance(value, kind):
        return False
    if isinstance(value, Mapping) and len(args) == 2:
        return all(fits(k, args[0]) and fits(v, args[1]) for k, v in value.items())
    return True


def describe(hint: Any) -> str:
    """Return the words for an annotated type.

    Args:
        hint: The annotation.

    Example:
        >>> describe(int | None), describe(Positive), describe(tuple[int, int])
        ('int or None', 'int at least 1', 'tuple of 2 int')
        >>> describe(list[float]), describe(Literal['avg', 'max'])
        ('list of float', "one of ('avg', 'max')")
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return ' or '.join(dict.fromkeys(describe(part) for part in args))
    if origin is Annotated:
        return ' '.join([describe(args[0]), *map(str, args[1:])])
    if origin is Literal:
        return f'one of {args}'
    if hint is types.NoneType:
        return 'None'
    kind = origin or hint
    name = getattr(kind, '__name__', str(kind)).lower().replace('configdict', 'dict')
    if origin is tuple and args and args[-1] is not Ellipsis:
        return f'tuple of {len(args)} {describe(args[0])}'
    if args and args[0] is not Any and kind in (list, tuple, Sequence):
        return f'{name} of {describe(args[0])}'
    return name


@functools.cache
def signature_of(kind: Any) -> Signature:
    """Return what the constructor of a class takes by name.

    Where it hands on arguments of any name (``**host_args``), those of the next base
    class with a constructor count too.

    Args:
        kind: The class.

    Example:
        >>> class Step:
        ...     def __init__(self, size: int = 3) -> None: ...
        >>> signature_of(Step).arguments['size'].default
        3
    """
    arguments: dict[str, Argument] = {}
    own = [vars(base)['__init__'] for base in kind.__mro__ if '__init__' in vars(base)]
    constructors = [x for x in map(inspect.unwrap, own) if x is not object.__init__]
    for constructor in constructors:
        parameters = list(inspect.signature(constructor).parameters.values())[1:]
        hints = _hints(constructor)
        for p in parameters:
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                hint = hints.get(p.name, Any)
                if p.default is None and hint is not Any:
                    hint = hint | None if isinstance(hint, type) else Union[hint, None]
                arguments.setdefault(p.name, Argument(hint, p.default))
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return Signature(arguments, is_open=False)
    return Signature(arguments, is_open=bool(constructors))


def argument_fault(kind: type, name: str, value: Any) -> TypeError | ValueError | None:
    """Say what is wrong with an argument of a constructor.

    A class that hands a dict of options on to a layer names both in ``layer_options``;
    an option of the layer that is given to the class itself is refused with the
    spelling that is meant.

    Args:
        kind: Class with the constructor.
        name: Name of the argument.
        value: What the user gave.

    Returns:
        What was expected and what came, None if nothing is wrong; a ``ValueError`` if
        the value is of the right type and out of its range.
    """
    known, is_open = signature_of(kind)
    layers: dict[str, type] = getattr(kind, 'layer_options', {})
    if name in known:
        hint = known[name].hint
        same = value is known[name].default
        if not same and not fits(value, hint):
            error = ValueError if fits(value, _without_range(hint)) else TypeError
            return error(_fault(describe(hint), value))
        return _layer_fault(layers[name], value) if name in layers else None
    for option, layer in layers.items():
        if name in signature_of(layer).arguments:
            return TypeError(_fault(f'{option}=dict({name}=...)', value))
    if is_open:
        return None
    names = f'one of the arguments {", ".join(known)}' if known else 'no arguments'
    return TypeError(f'expected {names}, got {name!r}')


def checked(kind: Class) -> Class:
    """Make a class check its arguments whenever it is built.

    Args:
        kind: The class, whose constructor is replaced.

    Returns:
        The class.

    Example:
        >>> class Step:
        ...     def __init__(self, size: int = 3) -> None: ...
        >>> checked(Step)(size='3')
        Traceback (most recent call last):
        ...
        TypeError: Step: size: expected int, got '3'
    """
    constructor: Any = kind.__init__  # type: ignore[misc]
    signature = inspect.signature(constructor)

    @functools.wraps(constructor)
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        _check(kind, signature, args, kwargs)
        try:
            constructor(self, *args, **kwargs)
        except AttributeError as error:
            if not isinstance(error.obj, Mapping):
                raise
            fault = _fault(f'a config with the key {error.name!r}', error.obj)
            raise ValueError(f'{kind.__name__}: {fault}') from error
        except AssertionError as error:  # of a class of the host
            reason = f': {error}' if str(error) else ''
            fault = _fault('what its base classes take', kwargs)
            raise ValueError(f'{kind.__name__}: {fault}{reason}') from error

    kind.__init__ = construct  # type: ignore[method-assign,misc]
    if '__new__' in vars(kind):  # runs before
        make = kind.__new__

        @functools.wraps(make)
        def make_checked(cls: Any, *args: Any, **kwargs: Any) -> Any:
            _check(kind, signature, args, kwargs)
            return make(cls, *args, **kwargs)

        kind.__new__ = make_checked  # type: ignore[method-assign,assignment]
    return kind


def check_config(node: Any, find: Callable[[str], type | None], path: str = '') -> None:
    """Check the arguments of all components of ours in a config.

    Args:
        node: Config, or a part of one.
        find: Gives the class of a ``type``, None of one that is not ours.
        path: Key of the part.

    Raises:
        TypeError: If a value is of another type than its argument, or has no argument.
        ValueError: If it is out of its range.

    Example:
        >>> class Step:
        ...     def __init__(self, size: int = 3) -> None: ...
        >>> check_config({'steps': [{'type': 'Step', 'size': '3'}]}, lambda _: Step)
        Traceback (most recent call last):
        ...
        TypeError: steps[0].size: expected int, got '3'
    """
    if isinstance(node, Mapping):
        given = node.get('type')
        kind = given if isinstance(given, type) else None
        kind = find(given) if isinstance(given, str) else kind
        for key, value in node.items():
            place = f'{path}.{key}'.lstrip('.')
            if kind is not None and key not in BESIDE:
                fault = argument_fault(kind, key, value)
                if fault:
                    raise type(fault)(f'{place}: {fault}')
            check_config(value, find, place)
    elif isinstance(node, (list, tuple)):
        for number, value in enumerate(node):
            check_config(value, find, f'{path}[{number}]')


def _check(
    kind: type, signature: inspect.Signature, args: tuple, kwargs: dict[str, Any]
) -> None:
    name, known = kind.__name__, signature_of(kind).arguments
    try:
        given = signature.bind_partial(None, *args).arguments
    except TypeError as error:
        raise TypeError(f'{name}: expected other arguments: {error}') from None
    named = {key: value for key, value in given.items() if key in known}
    for key, value in {**named, **kwargs}.items():
        fault = argument_fault(kind, key, value)
        if fault:
            raise type(fault)(f'{name}: {key}: {fault}')
    for key, argument in known.items():
        needed = argument.default is EMPTY and key in signature.parameters
        if needed and key not in named and key not in kwargs:
            raise TypeError(f'{name}: {key}: expected a value, got none')


def _layer_fault(
    layer: type, options: Mapping[str, Any] | None
) -> TypeError | ValueError | None:
    for key, value in (options or {}).items():
        fault = argument_fault(layer, key, value)
        if fault:
            return type(fault)(f'{key}: {fault}')
    return None


def _is_sequence(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _items_fit(values: Any, kind: type, args: tuple) -> bool:
    if not args or args[0] is Any:
        return True
    if kind is tuple and args[-1] is not Ellipsis:
        return len(values) == len(args) and all(map(fits, values, args))
    return all(fits(value, args[0]) for value in values)


def _is_instance(value: Any, kind: type) -> bool:
    if kind is bool:
        return isinstance(value, (bool, np.bool_))
    if kind is int:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if kind is float:
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        return number and math.isfinite(value)
    if issubclass(kind, os.PathLike):
        return isinstance(value, (str, os.PathLike))
    if issubclass(kind, dict):
        return isinstance(value, Mapping)
    return isinstance(value, kind)


def _hints(constructor: Any) -> dict[str, Any]:
    module = constructor.__module__
    if module.startswith(UNTRUE):
        return {}
    try:
        hints = typing.get_type_hints(constructor, include_extras=True)
    except NameError:  # of the stack: names that it imports for type checkers alone
        return {}
    return hints if module.startswith('mmattn.') else hints | OF_THE_STACK


def _fault(expected: str, value: Any) -> str:
    shown = repr(value)
    if len(shown) > SHOWN:
        shown = f'{shown[:SHOWN]}...'
    return f'expected {expected}, got {shown}'


def _without_range(hint: Any) -> Any:
    """The type alone of an annotation that may name a range or choices."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return args[0]
    if origin is Literal:
        return Union[tuple(type(part) for part in args)]
    if origin in (Union, types.UnionType):
        return Union[tuple(_without_range(part) for part in args)]
    if origin is tuple:
        return types.GenericAlias(tuple, tuple(map(_without_range, args)))
    return hint
