"""Which board fits where the program runs."""

import sys

from rich.console import Console

from usbprov.bench.controls import Controls
from usbprov.bench.terminal.board import TerminalBoard
from usbprov.bench.terminal.keyboard import (
    NoKeyboard,
    is_ours,
    keyboard_of,
    lines_of,
    standard_input,
)
from usbprov.bench.terminal.plain import PlainBoard

Board = TerminalBoard | PlainBoard
"""Shows the bench inside its ``with`` block, and takes PINs where it can (``takes_pins``)."""


def board_for(controls: Controls, name: str, *, scans: bool = True, link: str = "") -> Board:
    """Return a board on the terminal where standard output is one, else plain lines.

    Args:
        controls: The bench.
        name: Its name.
        scans: Whether standard input may be read; not when a secret comes from there.
        link: To the board for browsers, or "" where there is none.
    """
    source = standard_input() if scans else None
    console = Console(highlight=False)
    if _is_screen(console):
        return TerminalBoard(controls, name, keyboard_of(source), console, link)
    return PlainBoard(controls, name, NoKeyboard() if source is None else lines_of(source))


def _is_screen(console: Console) -> bool:
    """Say whether lines can be put anywhere on what standard output is, and by us."""
    if not console.is_terminal or console.is_dumb_terminal:
        return False
    return is_ours(sys.stdout.fileno())
