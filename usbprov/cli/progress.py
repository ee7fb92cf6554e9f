"""How a running job is shown: one line a step, with a spinner on a terminal."""

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import click

from usbprov.engine.events import (
    Event,
    Mark,
    PhoneAwaited,
    StepBegun,
    StepEnded,
    StepProgress,
    StepRetry,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

SIGNS = {Mark.DONE: "✓", Mark.SKIPPED: "○", Mark.FAILED: "✗"}
"""Signs as well as colours: not everybody sees the colours."""

RETRY_SIGN = "↻"

_COLOURS = {Mark.DONE: "green", Mark.SKIPPED: "dim", Mark.FAILED: "bold red"}


class Progress(Protocol):
    """Shows the events of a job."""

    def __call__(self, event: Event) -> None:
        """Show one event."""
        ...

    def close(self) -> None:
        """Leave the screen in order."""
        ...


class SilentProgress:
    """Shows nothing: ``--json`` and ``--quiet``."""

    def __call__(self, event: Event) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Nothing to do."""


class PlainProgress:
    """One line a step, when it has ended, and one a repeat: for files, pipes and logs."""

    def __call__(self, event: Event) -> None:
        """Print the steps that have ended, and what is tried again."""
        with suppress(OSError):  # a reader who has gone (`| head`) must not stop the job
            if isinstance(event, StepEnded):
                click.echo(_line(event))
            elif isinstance(event, StepRetry | PhoneAwaited):
                click.echo(_retry_line(event))

    def close(self) -> None:
        """Nothing to do."""


class TerminalProgress:
    """One line a step, and a spinner with the percentage for the one under way."""

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._status: Status | None = None

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, StepBegun):
            self._status = self._console.status(event.step)
            self._status.start()
        elif isinstance(event, StepProgress) and self._status:
            self._status.update(f"{event.step} {event.percent} %")
        elif isinstance(event, StepRetry | PhoneAwaited) and self._status:
            self._console.print(_retry_line(event), style="yellow", markup=False, highlight=False)
            self._status.update(_status_of(event))
        elif isinstance(event, StepEnded):
            self.close()
            self._print(event)

    def _print(self, event: StepEnded) -> None:
        from rich.text import Text

        line = Text(_line(event))
        line.stylize(_COLOURS[event.mark], 0, None if event.mark is Mark.FAILED else 1)
        self._console.print(line)

    def close(self) -> None:
        """Stop the spinner, if one turns."""
        if self._status:
            self._status.stop()
            self._status = None


def progress(*, silent: bool) -> Progress:
    """Choose by where standard output goes."""
    if silent:
        return SilentProgress()
    if not sys.stdout.isatty():
        return PlainProgress()
    from rich.console import Console

    return TerminalProgress(Console())


def _retry_line(event: StepRetry | PhoneAwaited) -> str:
    if isinstance(event, StepRetry):
        return f"{RETRY_SIGN} {event.step:<9}            {event.retry}"
    wait = f"waiting {event.seconds:g} s for it to come back"
    return f"{RETRY_SIGN} {event.step:<9}            {event.why}; {wait}"


def _status_of(event: StepRetry | PhoneAwaited) -> str:
    if isinstance(event, StepRetry):
        return f"{event.step}, attempt {event.retry.attempt}"
    return f"{event.step}, waiting for the phone"


def _line(event: StepEnded) -> str:
    return f"{SIGNS[event.mark]} {event.step:<9} {event.ms:>6} ms  {event.learnt}"
