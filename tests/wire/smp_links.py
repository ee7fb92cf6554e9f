"""Cables to emulated phones, real and made up, and certificates for them."""

import queue
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.exporter import Exporter
from usbprov.emulation.pty import PtyPort
from usbprov.errors import LinkTimeout
from usbprov.pki.certificates import to_der
from usbprov.pki.keys import generate_rsa
from usbprov.usb.buses import open_bus
from usbprov.usb.devices import AttachedDevice, DeviceFacts, LinkKind
from usbprov.usb.model_backend import ModelBackend
from usbprov.usb.pyusb_bus import PyusbBus
from usbprov_drivers.smp.driver import DRIVER, SmpPhone
from usbprov_drivers.smp.emulator import EMULATOR, boot
from usbprov_drivers.smp.firmware import Firmware
from usbprov_drivers.smp.framing import LineFraming
from usbprov_drivers.smp.ports import ConsolePort, RawPort
from usbprov_drivers.smp.session import Session

SILENCE = b""
"""Stands in the inbox for an answer that never comes, so that no test has to wait for it."""

NONCE = bytes(range(16))
AUTHORITY = generate_rsa()
FACTS = DeviceFacts("test", "1-1", 0x1209, 1, serial="EMU0001")


class PortLink:
    """A link whose other end is a function; keeps everything that the phone has sent."""

    name = "phone 1-1"

    def __init__(self, port: RawPort | ConsolePort) -> None:
        self.port = port
        self.inbox: queue.Queue[bytes] = queue.Queue()
        self.sent_by_phone: list[bytes] = []
        self.resyncs = 0
        port.connect(self.take)

    def take(self, data: bytes) -> None:
        self.sent_by_phone.append(data)
        self.inbox.put(data)

    def write(self, data: bytes, timeout: float) -> None:
        self.port.receive(data)

    def read(self, timeout: float) -> bytes:
        try:
            data = self.inbox.get(timeout=timeout)
        except queue.Empty:
            data = SILENCE
        if data == SILENCE:
            raise LinkTimeout(self.name, "read", timeout)
        return data

    def resync(self) -> None:
        self.resyncs += 1
        self.port.reset()
        while not self.inbox.empty():
            self.inbox.get_nowait()

    def close(self) -> None:
        self.port.reset()


class LineLink(PortLink):
    """A serial line: the phone is not told of a resynchronisation."""

    def resync(self) -> None:
        self.resyncs += 1
        while not self.inbox.empty():
            self.inbox.get_nowait()


class Bytewise(PortLink):
    """One byte at a time, both ways."""

    def write(self, data: bytes, timeout: float) -> None:
        for byte in data:
            self.port.receive(bytes([byte]))

    def take(self, data: bytes) -> None:
        for byte in data:
            super().take(bytes([byte]))


class BytewiseLine(LineLink, Bytewise):
    """The same on a serial line."""


class Unruly(PortLink):
    """Loses, repeats, delays and invents messages, by a seeded die; never loses two in a row."""

    def __init__(self, port: RawPort, dice: random.Random) -> None:
        self.dice = dice
        self.late: bytes | None = None
        self.lost = False
        super().__init__(port)

    def take(self, data: bytes) -> None:
        roll = self.dice.random()
        if self.late is not None:
            super().take(self.late)
            self.late = None
        if roll < 0.2 and not self.lost:
            self.lost = True
            self.late = data if roll < 0.1 else None
            super().take(SILENCE)
            return
        self.lost = False
        if roll > 0.7:
            super().take(foreign(data, self.dice))
        super().take(data)
        if roll > 0.85:
            super().take(data)


def foreign(data: bytes, dice: random.Random) -> bytes:
    """A copy of a message with another sequence number."""
    other = (data[6] + dice.randrange(1, 256)) % 256
    return data[:6] + bytes([other]) + data[7:]


def a_phone(
    folder: Path,
    *,
    roots: tuple[bytes, ...] = (),
    link: Callable[[RawPort], PortLink] = PortLink,
    personality: str = "",
) -> tuple[SmpPhone, PortLink, Firmware]:
    """Boot phone 1 on ``folder`` with a personality (``"occupied latency=1"``) and open it."""
    options = {word.partition("=")[0]: word.partition("=")[2] for word in personality.split()}
    firmware = boot(PhoneSpec(1, folder / "state", roots, options))
    wire = link(RawPort(firmware))
    session = Session(wire)
    session.start()
    return SmpPhone(FACTS, session), wire, firmware


@dataclass
class Cabled:
    """An emulated phone at the end of a cable, opened by the driver.

    ``pull`` takes the cable out; ``again`` opens the phone once more, without closing it before.
    """

    phone: SmpPhone
    pull: Callable[[], None]
    again: Callable[[], SmpPhone]

    @property
    def session(self) -> Session:
        return self.phone._session


Cable = Callable[[Path, str], AbstractContextManager[Cabled]]


def spec(folder: Path, personality: str, index: int = 1) -> PhoneSpec:
    options = {word.partition("=")[0]: word.partition("=")[2] for word in personality.split()}
    return PhoneSpec(index, folder / "state", (), options)


def opened(device: AttachedDevice, kind: LinkKind) -> SmpPhone:
    phone = DRIVER.open(device, kind)
    assert isinstance(phone, SmpPhone)
    return phone


@contextmanager
def cabled(open_it: Callable[[], SmpPhone], pull: Callable[[], None]) -> Iterator[Cabled]:
    with closing(open_it()) as phone:
        yield Cabled(phone, pull, open_it)


def in_memory(link: Callable[[RawPort | ConsolePort], PortLink]) -> Cable:
    @contextmanager
    def cable(folder: Path, personality: str) -> Iterator[Cabled]:
        firmware = boot(spec(folder, personality))
        is_line = issubclass(link, LineLink)  # type: ignore[arg-type]
        wire = link((ConsolePort if is_line else RawPort)(firmware))

        def open_it() -> SmpPhone:
            session = Session(wire, LineFraming() if is_line else None)
            session.start()
            return SmpPhone(FACTS, session)

        with cabled(open_it, lambda: None) as found:
            yield found

    return cable


@contextmanager
def over_model(folder: Path, personality: str) -> Iterator[Cabled]:
    model = EMULATOR.make(spec(folder, personality))
    backend = ModelBackend({"1-1": model})
    (device,) = PyusbBus("model", backend).devices()
    with cabled(lambda: opened(device, LinkKind.BULK), model.unplug) as found:
        yield found


@contextmanager
def over_usbip(folder: Path, personality: str) -> Iterator[Cabled]:
    model = EMULATOR.make(spec(folder, personality))
    with Exporter({"1-1": model}) as exporter:
        (device,) = open_bus(exporter.uri).devices()
        with cabled(lambda: opened(device, LinkKind.BULK), model.unplug) as found:
            yield found


@contextmanager
def over_pty(folder: Path, personality: str) -> Iterator[Cabled]:
    model = EMULATOR.make(spec(folder, personality))
    function = next(i.function for i in model.interfaces if i.streaming)
    with PtyPort(function) as port:
        (device,) = open_bus(f"tty:{port.path}").devices()
        with cabled(lambda: opened(device, LinkKind.SERIAL), port.close) as found:
            yield found


def with_too(cable: Cable, more: str) -> Cable:
    return lambda folder, personality: cable(folder, f"{personality} {more}")


REAL: Mapping[str, Cable] = {
    "model": over_model,
    "usbip": over_usbip,
    "pty, console": with_too(over_pty, "no-cobs"),
    "pty, COBS": over_pty,
}
"""Cables that go through the host's own links; on two of them the phone can be opened twice."""

CABLES: Mapping[str, Cable] = {
    **REAL,
    "memory": in_memory(PortLink),
    "memory, console": with_too(in_memory(LineLink), "no-cobs"),
    "memory, COBS": in_memory(LineLink),
    "bytewise": in_memory(Bytewise),
    "bytewise, console": with_too(in_memory(BytewiseLine), "no-cobs"),
    "bytewise, COBS": in_memory(BytewiseLine),
    "pty, chatty console": with_too(over_pty, "chatty no-cobs"),
    "pty, chatty COBS": with_too(over_pty, "chatty"),
}


def issue(
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    *,
    subject: str = "alice@contoso.test",
    days: tuple[int, int] = (-1, 90),
) -> bytes:
    """Return a certificate (DER) for ``key``, valid from and to so many days from now."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
    person = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(person).issuer_name(name).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now + timedelta(days=days[0]))
    builder = builder.not_valid_after(now + timedelta(days=days[1]))
    return to_der(builder.sign(AUTHORITY, hashes.SHA256()))


def quiet(_: int) -> None:
    """Progress that nobody watches."""


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for a condition with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)
