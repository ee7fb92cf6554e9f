"""The PINs that ports wait for, put to the operator one after the other. The board's thread's."""

from collections.abc import Mapping

from usbprov.bench.terminal.hands import Hands
from usbprov.bench.views import PortView

_PATIENCE = 2.0
"""Seconds that a line which somebody has begun to type may keep a question off, or keep it on."""


class Questions:
    """Which question is put: that of the port which has waited longest.

    A question is taken back when its port waits no more: the PIN was keyed in at another board,
    or the phone was pulled.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._put: dict[str, int] = {}

    def look(self, ports: Mapping[str, PortView], hands: Hands, at: float) -> bool:
        """Put a question, or take one back; says whether it did.

        Args:
            ports: The latest views, by label.
            hands: Where it is put.
            at: Now, by the clock of the hands.
        """
        if hands.is_busy(at, _PATIENCE):
            return False
        if hands.secret is not None:
            return self._take_back(ports, hands)
        waiting = [view for view in ports.values() if view.asks and not self._was_put(view)]
        if not waiting:
            return False
        first = min(waiting, key=lambda view: (view.since, view.number))
        self._put[first.label] = first.number
        hands.ask(f"{first.label}: {first.asks}", first.label)
        return True

    def _take_back(self, ports: Mapping[str, PortView], hands: Hands) -> bool:
        if ports[hands.waiting].asks:
            return False
        hands.ask(None)
        return True

    def _was_put(self, view: PortView) -> bool:
        """Say whether the answer to this very view is on its way."""
        return self._put.get(view.label) == view.number
