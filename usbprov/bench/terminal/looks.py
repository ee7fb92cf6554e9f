"""How urgent a port is for the operator, and the sign and colour that say so."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from rich.text import Text

from usbprov.bench.states import PortState
from usbprov.bench.views import PortView


class Urgency(IntEnum):
    """What a port asks of the operator, the most urgent first."""

    FAILED = 0
    HAND = 1
    UNPLUG = 2
    RUNNING = 3
    EMPTY = 4


@dataclass(frozen=True)
class Look:
    """How ports of one urgency look.

    Attributes:
        sign: One cell wide; signs as well as colours, since not everybody sees the colours.
        style: For ``rich``.
        count: Words behind the number of such ports.
    """

    sign: str
    style: str
    count: str


LOOKS: Mapping[Urgency, Look] = {
    Urgency.FAILED: Look("✗", "bold red", "failed"),
    Urgency.HAND: Look("!", "bold yellow", "need a hand"),
    Urgency.UNPLUG: Look("✓", "bold green", "to unplug"),
    Urgency.RUNNING: Look("▸", "cyan", "running"),
    Urgency.EMPTY: Look("·", "dim", "empty"),
}

RETRY = Look("↻", "yellow", "tried again")
"""A port that runs, but not at the first attempt."""

_URGENCIES: Mapping[PortState, Urgency] = {
    PortState.FAILED: Urgency.FAILED,
    PortState.WAITING: Urgency.HAND,
    PortState.AWAY: Urgency.HAND,
    PortState.DONE: Urgency.UNPLUG,
    PortState.EMPTY: Urgency.EMPTY,
}


def urgency_of(view: PortView) -> Urgency:
    """Say what a port asks of the operator."""
    urgency = _URGENCIES.get(view.state, Urgency.RUNNING)
    return Urgency.HAND if view.hand and urgency is Urgency.RUNNING else urgency


def look_of(view: PortView) -> Look:
    """Return how a port's line looks."""
    urgency = urgency_of(view)
    return RETRY if urgency is Urgency.RUNNING and view.trouble else LOOKS[urgency]


_ASCII = str.maketrans("✗✓▸·↻○…│━─•↑↓", "x+>.~o.|#-*^v")
"""The board's signs where only ASCII can be shown; each stays one cell wide."""


def in_ascii(line: Text) -> Text:
    """Return a line with signs that every terminal has."""
    plain = line.copy()
    plain.plain = line.plain.translate(_ASCII)
    return plain
