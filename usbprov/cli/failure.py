"""How errors are told: what happened, why, what to do; or as JSON."""

import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterable
from pathlib import Path

import click

from usbprov.cli import diagnosing, documents
from usbprov.cli.text import hanging
from usbprov.cli.unread import may_be_unread
from usbprov.engine.diagnosis.examining import diagnosis_of
from usbprov.errors import ExitCode, Interrupted, UsageError, UsbprovError

_LISTED = {"attached": "attached", "presented": "the server presents", "certificates": "it gave"}
"""Facts of several lines each, and what is said before every line."""

logger = logging.getLogger(__name__)


class ToldError(Exception):
    """Carries an error whose JSON document was printed already, with more in it than the error."""

    def __init__(self, error: UsbprovError) -> None:
        super().__init__(str(error))
        self.error = error


class ShownError(ToldError):
    """Carries an error that was shown in words already, with its cause and remedy."""


def explain(error: BaseException, *, as_json: bool) -> int:
    """Tell what stopped the command, in words and, where asked for, as JSON; give the exit code."""
    if isinstance(error, ShownError):
        return _tell_shortly(error.error)
    if isinstance(error, ToldError):
        return tell(error.error)
    if as_json:
        with may_be_unread(sys.stdout):
            documents.show({"outcome": "failed", "error": _document(error)})
    if isinstance(error, UsbprovError):
        return tell(error)
    if isinstance(error, click.ClickException):
        error.show()
        return ExitCode.USAGE
    if isinstance(error, KeyboardInterrupt | click.Abort):
        click.echo("interrupted", err=True)
        return ExitCode.INTERRUPTED
    return _tell_bug(error)


def _document(error: BaseException) -> documents.Document:
    """Describe what stopped the command; what is no error of the tree is told like one."""
    if isinstance(error, UsbprovError):
        return documents.error(error)
    if isinstance(error, click.ClickException):
        return documents.error(UsageError(error.format_message()))
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return documents.error(Interrupted("none", "none", "stopped by the user"))
    return documents.bug(_bug(error))


def _tell_shortly(error: UsbprovError) -> int:
    click.echo(err=True)
    _headline(error.code, str(error))
    _tell_lines(diagnosing.further_lines(diagnosis_of(error)))
    return error.exit_code


def tell(error: UsbprovError) -> int:
    """Print an error of the tree on standard error, with its diagnosis; give its exit code."""
    _headline(error.code, str(error))
    for fact, label in _LISTED.items():
        lines = error.facts().get(fact, ())
        for line in lines if isinstance(lines, tuple) else ():
            click.echo(f"    {label}: {line}", err=True)
    _tell_lines(diagnosing.lines(diagnosis_of(error)))
    return error.exit_code


def _tell_lines(lines: Iterable[tuple[str, str]]) -> None:
    for name, words in lines:
        if words:
            click.echo(_hanging(name, words), err=True)


def _headline(code: str, words: str) -> None:
    colour = None if "NO_COLOR" not in os.environ else False
    click.echo(click.style(f"error {code}: ", fg="red", bold=True) + words, err=True, color=colour)


def _hanging(name: str, words: str) -> str:
    """Wrap to the terminal's width, with the words in a column of their own."""
    return hanging(f"  {name:<14}", words, is_terminal=sys.stderr.isatty())


def _bug(error: BaseException) -> str:
    """Say of what kind a bug is and where it is; its words may be what somebody has typed."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def _tell_bug(error: BaseException) -> int:
    """Print a bug in a line; the traceback goes to the log, which is there if it was asked for."""
    _headline("GEN-00", f"internal error: {_bug(error)}")
    click.echo("  This is a bug. Repeat with --log-file FILE and report it with that.", err=True)
    logger.debug("internal error", exc_info=error)
    return ExitCode.INTERNAL


def end_thread(ended: threading.ExceptHookArgs) -> None:
    """Tell what a thread has ended with as any bug is told; Python would print its words."""
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        _tell_bug(ended.exc_value)
