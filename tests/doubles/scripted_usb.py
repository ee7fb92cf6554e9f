"""A bus in memory whose devices say what a test has written down, and no more."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from doubles.descriptors import Descriptors, Request, answer
from usbprov.usb.attachment import Attachment
from usbprov.usb.devices import DeviceFacts
from usbprov.usb.pyusb_bus import PyusbBus
from usbprov.usb.snapshot import listed_snapshot
from usbprov.usb.transfers import TIMED_OUT, Completion, Transfer
from usbprov.usb.urb_backend import UrbBackend
from usbprov.usbip import ExportedDevice, InterfaceTriple, TransferStatus


@dataclass
class ScriptedSession:
    """A device that is open; nothing in it takes time.

    ``incoming`` gives what IN endpoints send, one transfer after the other; then they are silent.
    """

    said: Descriptors
    incoming: list[Completion] = field(default_factory=list)
    transfers: int = 0
    tick: Callable[[], None] = lambda: None
    lengths: list[int] = field(default_factory=list)
    """How many bytes each control transfer asked for."""

    def transfer(self, transfer: Transfer, timeout: float | None) -> Completion:
        self.transfers += 1
        self.tick()
        if transfer.setup is not None:
            return self._control(transfer)
        if not transfer.incoming:
            return Completion(TransferStatus.OK, b"", transfer.length)
        return self.incoming.pop(0) if self.incoming else Completion(TIMED_OUT)

    def _control(self, transfer: Transfer) -> Completion:
        assert transfer.setup is not None
        self.lengths.append(transfer.length)
        raw = answer(self.said, Request.parse(transfer.setup.encode()))
        if raw is None:
            return Completion(TransferStatus.STALL)
        return Completion(TransferStatus.OK, raw, len(raw))

    def close(self) -> None:
        pass


class ScriptedBackend(UrbBackend):
    """The devices of a script, by port path."""

    def __init__(self, sessions: Mapping[str, ScriptedSession]) -> None:
        super().__init__()
        self._sessions = sessions

    def enumerate_devices(self) -> Sequence[Attachment]:
        return [
            Attachment(listed_snapshot(listed(place)), lambda _, s=session: s)
            for place, session in self._sessions.items()
        ]


def listed(place: str, **fields: object) -> ExportedDevice:
    """Describe a device as an exporter's list does."""
    said: dict[str, object] = {
        "path": f"/sys/{place}",
        "busid": place,
        "busnum": 1,
        "devnum": 2,
        "speed": 3,
        "vendor_id": 0x1209,
        "product_id": 1,
        "release": 0x0100,
        "cls": 0,
        "subclass": 0,
        "protocol": 0,
        "configuration": 1,
        "configurations": 1,
        "interface_count": 1,
        "interfaces": (InterfaceTriple(0xFF, 0x05, 0x50),),
    }
    return ExportedDevice(**(said | fields))  # type: ignore[arg-type]


def bus_of(sessions: Mapping[str, ScriptedSession]) -> PyusbBus:
    """Return the bus on which these devices are."""
    backend = ScriptedBackend(sessions)
    return PyusbBus("scripted", backend)


def assert_harmless(facts: DeviceFacts) -> None:
    """What is shown of a device is bounded, and does nothing to a terminal."""
    assert len(facts.interfaces) <= 64
    texts = [facts.manufacturer, facts.product, facts.serial, facts.problem, facts.name]
    texts += [interface.name for interface in facts.interfaces]
    for text in texts:
        assert text is None or (text.isprintable() and 0 < len(text) <= 300), repr(text)
