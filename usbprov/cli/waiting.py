"""What is shown while something takes long: on a terminal a line that goes away again."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.status import Status


class Waiting:
    """A line with a spinner, or nothing."""

    def __init__(self, what: str, status: "Status | None") -> None:
        self._what = what
        self._status = status

    def __call__(self, percent: int) -> None:
        """Show how much is done."""
        if self._status:
            self._status.update(f"{self._what}: {percent} %")

    def stop(self) -> None:
        """Take the line away; may be called twice."""
        if self._status:
            self._status.stop()
            self._status = None


@contextmanager
def waiting(what: str, *, silent: bool) -> Iterator[Waiting]:
    """Show what is being done, on a terminal.

    Args:
        what: What it is.
        silent: Show nothing: ``--json``.
    """
    status = None
    if not silent and sys.stderr.isatty():
        from rich.console import Console

        status = Console(stderr=True).status(what)
        status.start()
    shown = Waiting(what, status)
    try:
        yield shown
    finally:
        shown.stop()
