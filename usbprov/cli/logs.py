"""Logging: to standard error by -v, and to a file. No module logs a secret, at any level."""

import logging
from pathlib import Path

from usbprov.errors import UsageError

_LEVELS = {0: logging.ERROR, 1: logging.WARNING, 2: logging.INFO}


def set_up(verbosity: int, log_file: Path | None) -> None:
    """Send our log records to standard error at the level asked for, and all to ``log_file``."""
    level = _LEVELS.get(verbosity, logging.DEBUG)
    screen = logging.StreamHandler()
    screen.setLevel(level)
    screen.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handlers: list[logging.Handler] = [screen]
    if log_file:
        handlers.append(_file(log_file))
    logging.basicConfig(level=logging.DEBUG if log_file else level, handlers=handlers, force=True)


def _file(path: Path) -> logging.Handler:
    try:
        path.touch(mode=0o600, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--log-file {path}: {error.strerror}") from None
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s")
    )
    return handler
