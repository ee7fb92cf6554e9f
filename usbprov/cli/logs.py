"""Logging: to standard error by -v, and to a file. No module logs a secret, at any level."""

import logging
import traceback
from pathlib import Path
from types import TracebackType

from usbprov.errors import UsageError, UsbprovError

_LEVELS = {0: logging.ERROR, 1: logging.WARNING, 2: logging.INFO}


class _Formatter(logging.Formatter):
    """Shows where an exception was raised and of what kind it is, and the words of our own errors.

    What a library, or a bug, says may be what it was given: a PIN that is no number, a key that
    cannot be read.
    """

    def formatException(  # noqa: N802 - the base's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        """Return the lines of an exception and of those before it, the first one first."""
        return "\n\n".join(map(_raised, _chain(ei[1]))) if ei[1] else ""


def _chain(error: BaseException) -> list[BaseException]:
    """Return an exception after those in whose handling it was raised."""
    found, cause = [error], error.__cause__ or error.__context__
    while cause is not None and cause not in found:
        found.insert(0, cause)
        cause = cause.__cause__ or cause.__context__
    return found


def _raised(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    words = f": {error}" if isinstance(error, UsbprovError) else ""
    return f"Traceback (most recent call last):\n{frames}{type(error).__name__}{words}"


def set_up(verbosity: int, log_file: Path | None) -> None:
    """Send our log records to standard error at the level asked for, and all to ``log_file``."""
    level = _LEVELS.get(verbosity, logging.DEBUG)
    screen = logging.StreamHandler()
    screen.setLevel(level)
    screen.setFormatter(_Formatter("%(levelname)s %(name)s: %(message)s"))
    handlers: list[logging.Handler] = [screen]
    if log_file:
        handlers.append(_file(log_file))
    logging.basicConfig(level=logging.DEBUG if log_file else level, handlers=handlers, force=True)


def set_up_none() -> None:
    """Have what is shown where no logs were asked for, warnings, shown without foreign words."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Formatter())


def _file(path: Path) -> logging.Handler:
    try:
        path.touch(mode=0o600, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--log-file {path}: {error.strerror}") from None
    handler.setFormatter(
        _Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s")
    )
    return handler
