"""One port as one line, in columns that depend on the width alone: nothing jumps about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from usbprov.bench.states import PortState
from usbprov.bench.terminal import words
from usbprov.bench.terminal.looks import Urgency, look_of, urgency_of
from usbprov.bench.views import PortView

STATE_WIDTH = max(len(state) for state in PortState)
_TIME_WIDTH = 5
_GAP = "  "
_WIDEST_LABEL = 12
_LEAST_WHAT = 40
"""Cells that stay for what a port is at, before there are columns for more."""

_MORE: Sequence[tuple[int, Callable[[PortView], str]]] = (
    (12, lambda view: view.phone),
    (14, lambda view: view.serial),
    (17, lambda view: view.mac),
    (28, lambda view: view.user.removeprefix("sip:")),
)
"""Width and content of the further columns, by their worth where there is room."""


@dataclass(frozen=True)
class Row:
    """How lines are laid out.

    Attributes:
        width: Cells of a line.
        label: Cells of the label.
        who: Cells of the user's column, 0 for none.
        more: How many of the further columns there is room for.
    """

    width: int
    label: int
    who: int
    more: int

    def line(self, view: PortView, now: datetime, *, chosen: bool = False) -> Text:
        """Return a port's line, filled to the width."""
        look = look_of(view)
        more = self._further(view)
        taken = 4 + self.label + STATE_WIDTH + 2 + _TIME_WIDTH + 2
        taken += (self.who + 2 if self.who else 0) + sum(map(cell_len, more))
        state = fitted(view.state, STATE_WIDTH)
        urgent = urgency_of(view) in {Urgency.FAILED, Urgency.HAND}
        made = Text.assemble(
            (f"{look.sign} {fitted(words.clean(view.label), self.label)}", look.style),
            _GAP,
            (state, look.style),
            _GAP,
            (f"{words.age(view, now):>{_TIME_WIDTH}}", "dim"),
            *((_GAP, fitted(words.who(view), self.who)) if self.who else ()),
            *more,
            _GAP,
            (words.told_in(view, self.width - taken), look.style if urgent else ""),
            no_wrap=True,
        )
        made.truncate(self.width, overflow="ellipsis", pad=True)
        if chosen:
            made.stylize("reverse")
        return made

    def _further(self, view: PortView) -> list[str]:
        columns = _MORE[: self.more]
        return [_GAP + fitted(words.clean(of(view)), width) for width, of in columns]


def row_for(width: int, labels: Sequence[str]) -> Row:
    """Lay lines out for a width and for the labels that there are."""
    label = min(max(map(cell_len, labels), default=2), _WIDEST_LABEL)
    rest = width - (4 + label + STATE_WIDTH + 2 + _TIME_WIDTH + 2)
    who = min(max(rest // 3, 12), 24) if rest >= 30 else 0
    rest -= who + 2
    more = 0
    for cells, _ in _MORE:
        rest -= cells + 2
        if rest < _LEAST_WHAT:
            break
        more += 1
    return Row(width, label, who, more)


def fitted(text: str, width: int) -> str:
    """Fill or cut text to exactly so many cells; a cut is marked."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(set_cell_size(text, max(width - 1, 0)) + "…", width)
