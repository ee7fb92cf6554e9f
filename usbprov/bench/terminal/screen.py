"""A terminal's other screen, on which only the lines that have changed are written."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.control import Control
from rich.text import Text


class Screen:
    """The screen, in a context manager: inside the block the board is on it, then what was before.

    A picture goes out in one piece, and never by erasing first: nothing flickers.
    """

    def __init__(self, console: Console) -> None:
        """Prepare; nothing is written before the block is entered."""
        self._console = console
        self._shown: list[Text] = []
        self._size = (0, 0)

    def __enter__(self) -> Self:
        self._console.set_alt_screen(True)
        self._console.show_cursor(False)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._console:
            self._console.show_cursor(True)
            self._console.set_alt_screen(False)

    @property
    def size(self) -> tuple[int, int]:
        """Width in cells and height in lines, as they are now."""
        return (self._console.size.width, self._console.size.height)

    def forget(self) -> None:
        """Write every line at the next picture: something else may have written here."""
        self._shown = []

    def show(self, lines: Sequence[Text], *, bell: bool = False) -> int:
        """Show a picture; returns how many of its lines had to be written."""
        size = self.size
        with self._console:
            if size != self._size:
                self._console.control(Control.clear(), Control.home())
                self._shown, self._size = [], size
            changed = [n for n, line in enumerate(lines) if not self._has(n, line)]
            for n in changed:
                self._console.control(Control.move_to(0, n))
                self._console.print(lines[n], end="", no_wrap=True, overflow="crop", crop=True)
            if bell:
                self._console.control(Control.bell())
        self._shown = list(lines)
        return len(changed)

    def _has(self, n: int, line: Text) -> bool:
        return n < len(self._shown) and self._shown[n] == line
