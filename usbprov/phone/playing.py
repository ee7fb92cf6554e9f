"""A phone on a tape: a bus, a device and a cable that answer as they were recorded."""

from collections.abc import Sequence
from dataclasses import dataclass

from usbprov.phone.tap import Tap, TappedDriver
from usbprov.tape.events import Event, Json, Kind, text
from usbprov.tape.player import Player
from usbprov.usb.devices import AttachedDevice, DeviceFacts, InterfaceFacts, LinkKind, SerialPort
from usbprov.usb.link import Link


@dataclass(frozen=True)
class PlayedBus:
    """A ``Bus`` with the one phone of the tape, there as long as it is opened once more."""

    player: Player
    facts: DeviceFacts
    driver: TappedDriver

    @property
    def uri(self) -> str:
        """As it was given to ``--bus``."""
        return self.facts.bus

    def devices(self, known: Sequence[AttachedDevice] = ()) -> Sequence[AttachedDevice]:
        """Return the phone."""
        return [self.device()]

    def device_at(self, port_path: str) -> AttachedDevice | None:
        """Return the phone, unless the tape has it gone for good."""
        return self.device() if self.player.opens_again() else None

    def device(self) -> "PlayedDevice":
        """Return the phone."""
        return PlayedDevice(self.player, self.facts, self.driver)


@dataclass(frozen=True)
class PlayedDevice:
    """An ``AttachedDevice`` whose cables are played."""

    player: Player
    facts: DeviceFacts
    driver: TappedDriver

    def open_bulk(self, interface: InterfaceFacts) -> Link:
        """Open as recorded; see ``AttachedDevice``."""
        return self._open(LinkKind.BULK)

    def open_serial(self, port: SerialPort) -> Link:
        """Open as recorded; see ``AttachedDevice``."""
        return self._open(LinkKind.SERIAL)

    def _open(self, kind: LinkKind) -> Link:
        wanted = f"{kind.value} opened"
        while True:
            event = self.player.cable(wanted)
            if event.kind is Kind.CABLE and event.body.get("op") == "open":
                break
        if event.body.get("cable") != kind.value:
            raise self.player.departed("the cable", wanted, text(event.body.get("cable")))
        self.player.fail(event)
        return PlayedLink(self.player, self.driver.tap(kind), self.facts.name)


class PlayedLink:
    """A ``Link`` that answers as recorded, whatever the sequence numbers are now."""

    def __init__(self, player: Player, tap: Tap, name: str) -> None:
        self._player = player
        self._tap = tap
        self._name = name

    @property
    def name(self) -> str:
        """The phone's place, as it was."""
        return self._name

    def write(self, data: bytes, timeout: float) -> None:
        """Compare with what was sent then.

        Raises:
            NotOnTape: It was something else.
        """
        now = self._tap.sent(data)
        shown = ", ".join(str(message.get("name")) for message in now) or "no message"
        event = self._next_but(Kind.RECEIVED, shown)
        then = messages_of(event)
        found = ", ".join(text(message.get("name")) for message in then) or event.kind.value
        if event.kind is not Kind.SENT or len(then) != len(now):
            raise self._player.departed("the cable", shown, found)
        if not all(self._tap.matches(*pair) for pair in zip(then, now, strict=True)):
            raise self._player.departed("the cable", shown, found)
        self._fail_in("write")

    def read(self, timeout: float) -> bytes:
        """Return the messages that came then, or fail as then."""
        self._fail_in("read")
        event = self._player.cable("an answer")
        if event.kind is not Kind.RECEIVED:
            raise self._player.departed("the cable", "an answer", event.kind.value)
        try:
            return b"".join(self._tap.answer(message) for message in messages_of(event))
        except ValueError as error:
            raise self._player.departed("the cable", "an answer", str(error)) from None

    def resync(self) -> None:
        """Resynchronise, with the success that it had then."""
        event = self._next_but(Kind.RECEIVED, "a resynchronisation")
        if event.kind is not Kind.CABLE or event.body.get("op") != "resync":
            raise self._player.departed("the cable", "a resynchronisation", event.kind.value)
        self._player.fail(event)
        self._tap.resync()

    def close(self) -> None:
        """Nothing is open."""

    def _fail_in(self, op: str) -> None:
        """Raise the error with which the operation ended then, if it did."""
        ahead = self._player.cable_ahead()
        if ahead is not None and ahead.kind is Kind.CABLE and ahead.body.get("op") == op:
            self._player.fail(self._player.cable(op))

    def _next_but(self, kind: Kind, wanted: str) -> Event:
        """Go on to the next event that is not of a kind: messages that nobody waited for."""
        while True:
            event = self._player.cable(wanted)
            if event.kind is not kind:
                return event


def messages_of(event: Event) -> list[dict[str, Json]]:
    """Return the messages of an event of the cable."""
    messages = event.body.get("messages")
    return [m for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []
