"""Checks of arguments that many components share."""

from collections.abc import Collection


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
