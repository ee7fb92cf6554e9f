"""The bench's board on a terminal: one line a port, sums, and what the operator types or scans.

What is shown is a pure function of views (``picture``); what is typed becomes intents without
I/O (``keys``, ``typing``); ``board`` joins both to a terminal, ``plain`` to anything else.
"""

from usbprov.bench.terminal.board import TerminalBoard
from usbprov.bench.terminal.choice import Board, board_for
from usbprov.bench.terminal.plain import PlainBoard

__all__ = ["Board", "PlainBoard", "TerminalBoard", "board_for"]
