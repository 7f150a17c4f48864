"""How much of the stack's logs is seen."""

import contextlib
import logging
from collections.abc import Iterator

from mmengine.logging import MMLogger


@contextlib.contextmanager
def quiet_log(
    level: int = logging.ERROR, logger: logging.Logger | None = None
) -> Iterator[None]:
    """Keep back what is less than a level, which the stack prints to stdout.

    Args:
        level: Least level that is still seen.
        logger: The logger, MMEngine's current one by default.

    Example:
        >>> with quiet_log():
        ...     MMLogger.get_current_instance().warning('not seen')
    """
    logger = logger or MMLogger.get_current_instance()
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
