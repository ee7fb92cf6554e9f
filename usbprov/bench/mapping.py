"""Learning the port map: somebody plugs one phone into port after port, in the order of the labels.

Pure: what came and went is handed in, and the map so far can be had at any time.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from usbprov.bench.portmap import Hub, PortMap, plain_address, port_label
from usbprov.errors import UsageError

_NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)


@dataclass
class _Draft:
    """A hub that is being learnt: its labels in their order, each with its port, if it has one."""

    name: str
    columns: int
    places: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def before_first(self) -> str:
        """What the first label is counted on from: ``A0``; after a digit with a point, ``1.0``."""
        return f"{self.name}.0" if self.name[-1].isdigit() else f"{self.name}0"

    def hub(self) -> Hub:
        labels = [label for label, _ in self.places]
        rows = [labels[at : at + self.columns] for at in range(0, len(labels), self.columns)]
        ports = {address: label for label, address in self.places if address}
        return Hub(self.name, tuple(map(tuple, rows)), ports)


class MapLearner:
    """Gives labels to ports in the order in which something is plugged in. Not thread-safe."""

    def __init__(self, known: PortMap, present: Collection[str] = ()) -> None:
        """Begin.

        Args:
            known: What was learnt before; it stays.
            present: Ports where something is plugged in already: nobody plugged it in just now,
                so it gets no label until it was away.
        """
        self._known = known
        self._present = {plain_address(address) for address in present}
        self._drafts: list[_Draft] = []
        self._next: str | None = None

    @property
    def next_label(self) -> str:
        """The label of the port that is plugged in next."""
        if self._next is not None:
            return self._next
        draft = self._drafts[-1]
        last = draft.places[-1][0] if draft.places else draft.before_first
        return next(label for label in _after(last) if not self._has(label))

    @property
    def learnt(self) -> int:
        """How many ports were learnt now."""
        return sum(1 for draft in self._drafts for _, address in draft.places if address)

    def port_map(self) -> PortMap:
        """Return the map so far: what was known, and what was learnt."""
        drafts = (draft.hub() for draft in self._drafts if draft.places)
        hubs = (*self._known.hubs, *drafts)
        return PortMap(self._known.name, hubs, self._known.buses, self._known.uris)

    def begin_hub(self, name: str, columns: int) -> str:
        """Go on with another hub; returns what was done, in words.

        Args:
            name: What it is called; its labels begin with it.
            columns: How many ports it has in a row.

        Raises:
            UsageError: There is a hub of that name, or it cannot begin a label.
        """
        name = _checked(name)
        if any(hub.name.casefold() == name.casefold() for hub in self.port_map().hubs):
            raise UsageError(f"there is a hub {name} already")
        self._drafts = [draft for draft in self._drafts if draft.places]
        self._drafts.append(_Draft(name, columns))
        self._next = None
        return f"hub {name}, {columns} ports a row; plug into {self.next_label}"

    def arrived(self, addresses: Sequence[str]) -> str:
        """Take in what was plugged in at the same moment; returns what was done, in words."""
        new = [plain_address(address) for address in addresses]
        fresh = [address for address in new if address not in self._present]
        self._present.update(new)
        if not fresh:
            return ""
        if len(fresh) > 1:
            where = " and ".join(fresh)
            return f"several at once ({where}): unplug them, and plug one after the other"
        return self._learn(fresh[0])

    def left(self, address: str) -> None:
        """Note that a port is empty."""
        self._present.discard(plain_address(address))

    def name_next(self, label: str) -> str:
        """Say what the next port is called; those after it are counted on from there.

        Raises:
            UsageError: It is no label, or there is one already.
        """
        label = _checked(label)
        if self._has(label):
            raise UsageError(f"there is a label {label} already")
        self._next = label
        return f"plug into {label}"

    def skip(self) -> str:
        """Leave a place without a port: it is broken, or taken by something else."""
        label = self.next_label
        self._place(label, None)
        return f"{label} stays without a port; plug into {self.next_label}"

    def undo(self) -> str:
        """Take back the last port or place; what is plugged in must be unplugged to be learnt."""
        draft = next((draft for draft in reversed(self._drafts) if draft.places), None)
        if draft is None:
            return "there is nothing to take back"
        self._drafts = self._drafts[: self._drafts.index(draft) + 1]
        label, _ = draft.places.pop()
        self._next = label
        return f"{label} is taken back; unplug, and plug into {label}"

    def _learn(self, address: str) -> str:
        known = self.port_map()
        if any(address in hub.ports for hub in known.hubs):
            return f"{address} is {known.label_of(address)} already; plug into {self.next_label}"
        label = self.next_label
        self._place(label, address)
        return f"{address} is {label}; next is {self.next_label}"

    def _place(self, label: str, address: str | None) -> None:
        self._drafts[-1].places.append((label, address))
        self._next = None

    def _has(self, label: str) -> bool:
        labels = (name for hub in self.port_map().hubs for row in hub.rows for name in row)
        return label.casefold() in {name.casefold() for name in labels}


def _after(label: str) -> Iterator[str]:
    """Yield the labels that come after one: after ``A9`` ``A10``, after ``left`` ``left1``."""
    numbered = _NUMBERED.fullmatch(label)
    stem, digits = (numbered[1], numbered[2]) if numbered else (label, "0")
    number, width = int(digits), len(digits) if digits.startswith("0") and digits != "0" else 0
    while True:
        number += 1
        yield f"{stem}{number:0{width}}"


def _checked(label: str) -> str:
    try:
        return port_label(label.strip())
    except ValueError as error:
        raise UsageError(str(error)) from None
