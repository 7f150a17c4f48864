"""Checks of arguments that many components share."""

from collections.abc import Collection, Sized


def require_choice(
    key: str, value: str | None, choices: Collection[str | None]
) -> None:
    """Refuse a value that is none of the choices.

    Args:
        key: Name of the argument or config key.
        value: What the user gave.
        choices: What is accepted, in the order in which it is named.

    Raises:
        ValueError: If the value is none of them.

    Example:
        >>> require_choice('pool', 'sum', ('avg', 'max'))
        Traceback (most recent call last):
        ...
        ValueError: pool: expected one of ('avg', 'max'), got 'sum'
    """
    if value not in choices:
        raise ValueError(f'{key}: expected one of {tuple(choices)}, got {value!r}')


def require_some(key: str, values: Sized, what: str = 'videos') -> None:
    """Refuse nothing, where one or more are needed.

    Args:
        key: Name of what they are.
        values: The values; of a tensor, its first axis counts.
        what: What they are, in the plural.

    Raises:
        ValueError: If there are none.

    Example:
        >>> require_some('results', [])
        Traceback (most recent call last):
        ...
        ValueError: results: expected one or more videos, got none
    """
    if not len(values):
        raise ValueError(f'{key}: expected one or more {what}, got none')
