"""Where the fuzzer begins: what real emulated phones say, written down while they work."""

import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from doubles.certificates import Party, issue
from doubles.descriptors import CONFIGURATION, DEVICE, LIES, STRING, Descriptors
from doubles.usb_device import Host

from fuzz.targets import COMMANDS
from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.exporter import Exporter
from usbprov.emulation.registry import emulators
from usbprov.errors import UsbprovError
from usbprov.phone.contract import Credential, ObjectKind, PhoneSettings
from usbprov.pki.certificates import to_der, to_pem
from usbprov.pki.keys import generate_rsa, to_pkcs8
from usbprov.usb.buses import open_bus
from usbprov.usb.devices import DeviceFacts
from usbprov.usb.link import Link
from usbprov.usbip import (
    DeviceListReply,
    DeviceListRequest,
    Direction,
    ExportedDevice,
    ImportReply,
    ImportRequest,
    InterfaceTriple,
    Submit,
    SubmitReply,
    Unlink,
    UnlinkReply,
)
from usbprov_drivers.smp import identity
from usbprov_drivers.smp.driver import SmpPhone
from usbprov_drivers.smp.framing import LineCode
from usbprov_drivers.smp.session import Session
from usbprov_drivers.smp.wire import Message, decode_message

NONCES = bytes(16), bytes(range(16))
SETTINGS = PhoneSettings("sip:alice@contoso.test", "https://pool/CertProv", "sip.contoso.test")


def seeds() -> Mapping[str, tuple[bytes, ...]]:
    """Return the seeds of every target."""
    first, second = _at_work({}), _at_work({"no-keygen": ""})
    talks = [*first.talks, *second.talks]
    responses = [message for _, talk in talks for message in talk[1:]]
    devices = (first.said, second.said, *LIES.values())
    return {
        "cbor": _unlike(message.payload for message in responses),
        "answers": _unlike(bytes([_row(m)]) + m.payload for m in responses),
        "raw": (*_unlike(b"\x06" + m.encode() for m in responses), b"\xff" + _stream(responses)),
        "line": _lines(responses),
        "driver": tuple(_series(method, talk) for method, talk in talks),
        "certificates": _certificates(),
        "descriptors": (first.said[CONFIGURATION, 0], b"".join(list(first.said.values())[:2])),
        "device": _unlike(_device(said) for said in devices),
        "description": _unlike(_device(said) for said in devices),
        "usbip_client": _exporter_says(),
        "usbip_server": _host_says(),
    }


def write_seeds(folder: Path, corpus: Mapping[str, Iterable[bytes]]) -> None:
    """Write each target's seeds into a folder of its name."""
    for target, inputs in corpus.items():
        place = folder / target
        place.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(inputs):
            (place / f"seed-{number:03}").write_bytes(data)


# --- a phone at work -----------------------------------------------------------------------------


@dataclass
class _Recorder:
    """A link that writes down what the phone says."""

    link: Link
    heard: list[Message] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.link.name

    def write(self, data: bytes, timeout: float) -> None:
        self.link.write(data, timeout)

    def read(self, timeout: float) -> bytes:
        data = self.link.read(timeout)
        self.heard.append(decode_message(data))
        return data

    def resync(self) -> None:
        self.link.resync()

    def close(self) -> None:
        self.link.close()


@dataclass(frozen=True)
class _Work:
    """What a phone said: its descriptors, and to each method, by index; its buffer size first."""

    said: Descriptors
    talks: list[tuple[int, list[Message]]]


def _at_work(personality: Mapping[str, str]) -> _Work:
    """Do everything once with a phone, whether it can or refuses."""
    with tempfile.TemporaryDirectory() as folder:
        device = emulators()["smp"].make(
            PhoneSpec(1, Path(folder, "state"), personality=personality)
        )
        said = _descriptors(Host(device))
        with Exporter({"1-1": device}) as exporter:
            (attached,) = open_bus(exporter.uri).devices()
            interface = identity.BULK.interface_of(attached.facts)
            assert interface is not None
            link = _Recorder(attached.open_bulk(interface))
            try:
                return _Work(said, _talks(link, attached.facts))
            finally:
                link.close()


def _descriptors(host: Host) -> Descriptors:
    kinds = [(DEVICE, 0), (CONFIGURATION, 0), *((STRING, index) for index in range(7))]
    asked = {kind: host.control(0x80, 6, kind[0] << 8 | kind[1], room=4096) for kind in kinds}
    return {kind: completion.data for kind, completion in asked.items() if not completion.status}


def _talks(link: _Recorder, facts: DeviceFacts) -> list[tuple[int, list[Message]]]:
    session = Session(link)
    session.start()
    phone = SmpPhone(facts, session)
    parameters = link.heard[0]
    talks = []
    for index, method in _methods():
        link.heard.clear()
        with suppress(UsbprovError):
            method(phone)
        talks.append((index, [parameters, *link.heard]))
    return talks


def _methods() -> Iterator[tuple[int, Callable[[SmpPhone], object]]]:
    """Yield what succeeds in this order, with the place of each in ``targets.METHODS``."""
    root = issue("Root")
    key = generate_rsa()
    alice = issue("alice", Party(root.certificate, root.key), own=key)
    authority = to_der(root.certificate)
    credential = Credential(to_der(alice.certificate), (authority,))
    now = datetime.now(UTC)
    yield 10, lambda p: p.set_clock(now)
    yield 1, lambda p: p.generate_key(0, 2048, NONCES[0], replace=False, progress=_nobody)
    yield 2, lambda p: p.import_key(0, to_pkcs8(key), NONCES[1], replace=True)
    yield 3, lambda p: p.request(0, "alice")
    yield 6, lambda p: p.add_root(authority)
    yield 4, lambda p: p.install(0, credential, SETTINGS, _nobody)
    yield 0, lambda p: p.info()
    yield 5, lambda p: p.read(ObjectKind.CERTIFICATE, 0)
    yield 7, lambda p: p.read_root(sha256(authority).hexdigest())
    yield 8, lambda p: p.prove(0, NONCES[0])
    yield 9, lambda p: p.sign(0, bytes(36))
    yield 12, lambda p: p.identify(on=True)
    yield 11, lambda p: p.erase(0)
    yield 0, lambda p: p.info()


def _nobody(_: int) -> None:
    pass


# --- written as the targets read it --------------------------------------------------------------


def _unlike(seeds: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(seeds))


def _row(message: Message) -> int:
    """Return the command of which it is the response, by its place in the table."""
    numbers = [(c.group, c.number, c.op + 1) for c in COMMANDS]
    return numbers.index((message.group, message.command, message.op))


def _stream(messages: Iterable[Message]) -> bytes:
    return b"".join(message.encode() for message in messages)[:4000]


def _lines(messages: Iterable[Message]) -> tuple[bytes, ...]:
    each = [
        b"\x20" + b"*** booting\r\n" + code.encode(message.encode()) + b"log\r\n"
        for message in messages
        for code in LineCode
    ]
    return _unlike([seed for seed in each if len(seed) < 800] + [b"\x05" + b"".join(each[:6])])


def _series(method: int, talk: Iterable[Message]) -> bytes:
    answers = (b"\0" + len(m.payload).to_bytes(2) + m.payload for m in talk)
    return bytes([method]) + b"".join(answers)


def _device(said: Descriptors) -> bytes:
    parts = (
        bytes([kind, index, min(len(raw), 255)]) + raw[:255]
        for (kind, index), raw in said.items()
        if raw
    )
    return b"".join(parts)[:2000] + b"\0" + bytes.fromhex("0900000000000000a0")


def _certificates() -> tuple[bytes, ...]:
    authority = issue("Root")
    root = authority.certificate
    alice = issue("alice@contoso.test", authority, names=["pool.contoso.test"]).certificate
    both = pkcs7.serialize_certificates([alice, root], Encoding.DER)
    return (to_der(root), to_der(alice), to_pem([alice, root]), both, b64encode(both))


def _exporter_says() -> tuple[bytes, ...]:
    triples = (InterfaceTriple(0xFF, 0x05, 0x50), InterfaceTriple(2, 2, 0))
    listed = ExportedDevice("/sys/1-1", "1-1", 1, 2, 3, 0x1209, 1, 256, 0, 0, 0, 1, 1, 2, triples)
    granted = ImportReply(0, listed).encode()
    replies = b"".join(
        (
            SubmitReply(1, 0, 9, b"123456789").encode(),
            SubmitReply(2, 0, 64).encode(),
            SubmitReply(3, -32, 0).encode(),
            UnlinkReply(9, -104).encode(),
        )
    )
    return (
        DeviceListReply((listed, listed)).encode(),
        DeviceListReply().encode(),
        ImportReply(1).encode(),
        granted + replies,
    )


def _host_says() -> tuple[bytes, ...]:
    setup = bytes.fromhex("8006000100001200")
    transfers = b"".join(
        (
            Submit(1, 0x10002, Direction.IN, 0, 18, setup=setup).encode(),
            Submit(2, 0x10002, Direction.OUT, 1, 5, b"12345", flags=64).encode(),
            Submit(3, 0x10002, Direction.IN, 1, 512).encode(),
            Unlink(4, 0x10002, 3).encode(),
        )
    )
    return (DeviceListRequest().encode(), ImportRequest("1-1.4.2").encode() + transfers)
