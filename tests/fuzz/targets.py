"""What is fuzzed. A target takes any bytes, and raises only what must never happen.

Each target also checks what must hold of a good outcome, so that it finds more than crashes.
"""

import errno
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from doubles.descriptors import Descriptors
from doubles.hostile_phone import Answer, ScriptedLink, phone_over
from doubles.scripted_usb import ScriptedSession, assert_harmless, bus_of

from usbprov.errors import UsbError, UsbprovError
from usbprov.phone.contract import Credential, ObjectKind, PhoneSettings
from usbprov.pki.bundles import load_bundle
from usbprov.pki.certificates import summarise, user_addresses
from usbprov.pki.chains import is_root
from usbprov.pki.fitness import too_new, unfit_ca
from usbprov.pki.limits import ChainLimits, SignatureKind
from usbprov.usb.description import from_sysfs, read_descriptors
from usbprov.usb.descriptors import MalformedDescriptor, parse_configuration, parse_device
from usbprov.usb.pyusb import new_error
from usbprov.usb.sysfs import SysfsDevice
from usbprov.usb.transfers import Completion
from usbprov.usbip import (
    ClientDecoder,
    Direction,
    ImportRequest,
    ServerDecoder,
    Submit,
    Unlink,
)
from usbprov.usbip import MalformedMessage as MalformedUsbIp
from usbprov_drivers.smp import messages
from usbprov_drivers.smp.cbor import MAX_DEPTH, decode_map, encode_map
from usbprov_drivers.smp.driver import DRIVER, SmpPhone
from usbprov_drivers.smp.framing import LineCode, LineDecoder
from usbprov_drivers.smp.keygen import KeyMaker
from usbprov_drivers.smp.messages import Command, KeygenRequest
from usbprov_drivers.smp.schema import FieldInvalid, dump_record, load_record
from usbprov_drivers.smp.wire import Decoder, MalformedMessage, Message, decode_message

Target = Callable[[bytes], None]

LIMIT = 1024
"""The largest SMP message, in the targets that read streams."""

# --- SMP -----------------------------------------------------------------------------------------


def cbor(data: bytes) -> None:
    """One payload."""
    try:
        value = decode_map(data)
    except MalformedMessage:
        return
    assert all(isinstance(key, str) for key in value)
    assert _depth(value) <= MAX_DEPTH


def _depth(value: object) -> int:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(_depth, inner), default=0)
    return 0


COMMANDS = tuple(c for c in vars(messages).values() if isinstance(c, Command))


def answers(data: bytes) -> None:
    """One payload as the response to one command, which the first byte chooses."""
    command: Command = COMMANDS[data[0] % len(COMMANDS)] if data else COMMANDS[0]
    try:
        record = load_record(command.answer, decode_map(data[1:]))
    except (MalformedMessage, FieldInvalid):
        return
    assert load_record(command.answer, decode_map(encode_map(dump_record(record)))) == record


def raw(data: bytes) -> None:
    """A stream of raw messages: the first byte says in what pieces it comes."""
    step = 1 + (data[0] if data else 0)
    whole = _raw_messages(Decoder(LIMIT), [data[1:]])
    decoder = Decoder(LIMIT)
    pieces = _raw_messages(decoder, _cut(data[1:], step))
    assert decoder.pending <= LIMIT
    assert pieces[: len(whole)] == whole
    for message in whole:
        assert decode_message(message.encode()) == message


def _raw_messages(decoder: Decoder, pieces: list[bytes]) -> list[Message]:
    """Return the messages before the first that is malformed: there, a host gives up."""
    found: list[Message] = []
    with suppress(MalformedMessage):
        for piece in pieces:
            found.extend(decoder.feed(piece))
    return found


def line(data: bytes) -> None:
    """A serial line with messages in console framing and COBS among log text."""
    step = 1 + (data[0] if data else 0)
    whole = list(LineDecoder(LIMIT).feed(data[1:]))
    decoder = LineDecoder(LIMIT)
    pieces = [found for piece in _cut(data[1:], step) for found in decoder.feed(piece)]
    known = Message(messages.Op.READ_RESPONSE, messages.GROUP, 0, data[0] if data else 0, b"\xa0")
    assert [message for _, message in pieces] == [message for _, message in whole]
    for code in LineCode:
        after = list(decoder.feed(b"\0\n" + code.encode(known.encode())))
        assert after[-1:] == [(code, known)], "noise hid the next message"


def _cut(data: bytes, step: int) -> list[bytes]:
    return [data[at : at + step] for at in range(0, len(data), step)]


OBJECT = bytes(range(256))
NONCE = bytes(16)
SETTINGS = PhoneSettings("sip:a@contoso.test", "https://pool/CertProv")


def _make_key(phone: SmpPhone) -> None:
    session = phone._session
    clock = session.link.clock  # type: ignore[attr-defined]
    maker = KeyMaker(session, lambda _: None, sleep=clock.sleep, clock=clock)
    with phone._doing("making a key"):
        maker.make(KeygenRequest(0, 2048, NONCE, replace=False))


METHODS: tuple[Callable[[SmpPhone], object], ...] = (
    lambda p: p.info(),
    _make_key,
    lambda p: p.import_key(0, OBJECT, NONCE, replace=False),
    lambda p: p.request(0, "alice"),
    lambda p: p.install(0, Credential(OBJECT, (OBJECT,)), SETTINGS, lambda _: None),
    lambda p: p.read(ObjectKind.CERTIFICATE, 0),
    lambda p: p.add_root(OBJECT),
    lambda p: p.read_root("00" * 32),
    lambda p: p.prove(0, NONCE),
    lambda p: p.sign(0, bytes(36)),
    lambda p: p.set_clock(datetime(2026, 1, 1, tzinfo=UTC)),
    lambda p: p.erase(0),
    lambda p: p.identify(on=True),
)


def driver(data: bytes) -> None:
    """A method of the driver, by the first byte, against a phone whose answers follow.

    Each answer is a kind (payload, noise before an empty map, silence, error code) and a length of
    two bytes, and so many bytes. The phone is silent when there are no more.
    """
    series = _answers(data[1:])
    noise: list[bytes] = []

    def script(request: Message) -> Answer:
        kind, payload = next(series, (2, b""))
        noise[:] = [payload] if kind == 1 else []
        if kind == 3:
            return {"err": {"group": messages.GROUP, "rc": len(payload)}}
        return payload if kind == 0 else None if kind == 2 else {}

    link = ScriptedLink(script, raw=lambda _: b"".join(noise))
    with suppress(UsbprovError):
        METHODS[data[0] % len(METHODS) if data else 0](phone_over(link))
    assert link.requests <= 2 * (3 + len(data))
    assert link.clock.now <= 60 * 60


def _answers(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 3:
        kind, size = data[0] % 4, int.from_bytes(data[1:3])
        yield kind, data[3 : 3 + size]
        data = data[3 + size :]


# --- certificates --------------------------------------------------------------------------------


def certificates(data: bytes) -> None:
    """What a phone, or a server, gives as a certificate or several."""
    with warnings.catch_warnings(), suppress(UsbprovError):
        warnings.simplefilter("ignore")  # of the library, about old certificates
        for certificate in load_bundle(data, "the chain"):
            said = summarise(certificate)
            assert (said.subject + said.issuer).isprintable()
            is_root(certificate)
            unfit_ca(certificate, 0)
            too_new(certificate, ChainLimits(frozenset(SignatureKind), 2048))
            user_addresses(certificate)


# --- USB -----------------------------------------------------------------------------------------


def descriptors(data: bytes) -> None:
    """One device descriptor, one configuration with all that is in it, or Linux's file of both."""
    with suppress(MalformedDescriptor):
        parse_device(data)
    with suppress(MalformedDescriptor):
        parsed = parse_configuration(data)
        settings = [setting for group in parsed.interfaces for setting in group]
        endpoints = sum(setting.bNumEndpoints for setting in settings)
        assert 9 * (1 + len(settings)) + 7 * endpoints <= len(data)
    kept = from_sysfs(SysfsDevice("1-1", 1, 2, manufacturer="m", descriptors=data), "")
    assert len(kept.device) + sum(map(len, kept.configurations)) <= len(data)


def device(data: bytes) -> None:
    """A device with these descriptors, listed and opened; its bulk endpoint sends the rest.

    Each descriptor is type, index and length, and so many bytes.
    """
    said, rest = _descriptors(data)
    incoming = [Completion(0, piece, len(piece)) for piece in _cut(rest, 64)]
    session = ScriptedSession(said, incoming)
    attached = bus_of({"1-1": session}).device_at("1-1")
    if attached is None:  # it says that it is a hub
        return
    assert_harmless(attached.facts)
    assert session.transfers <= 200
    with suppress(UsbError):
        DRIVER.open(attached)


def description(data: bytes) -> None:
    """What ``usbprov describe`` makes of a device with these descriptors."""
    said, _ = _descriptors(data)
    asked = 0

    def get(kind: int, index: int, language: int, length: int) -> bytes:
        nonlocal asked
        asked += 1
        if (kind, index) not in said:
            raise new_error(errno.EPIPE, "")
        return said[kind, index][:length]

    described = read_descriptors(get)
    assert asked <= 100
    assert all(text.isprintable() for text in [*described.strings.values(), *described.unread])


def _descriptors(data: bytes) -> tuple[Descriptors, bytes]:
    said: dict[tuple[int, int], bytes] = {}
    while len(data) >= 3 and data[0]:
        kind, index, size = data[:3]
        said[kind, index] = data[3 : 3 + size]
        data = data[3 + size :]
    return said, data[1:]


# --- USB/IP --------------------------------------------------------------------------------------


def usbip_client(data: bytes) -> None:
    """What an exporter sends: a list or an import, then answers to some transfers."""
    assert _replies([data]) == _replies(_cut(data, 7))


def _replies(pieces: list[bytes]) -> list[object]:
    decoder = ClientDecoder()
    for number in range(1, 9):
        way = Direction(number % 2)
        decoder.sent(
            Submit(number, 0x10002, way, 1, 64, bytes(64) if way is Direction.OUT else b"")
        )
    decoder.sent(Unlink(9, 0x10002, 8))
    found: list[object] = []
    try:
        for piece in pieces:
            decoder.feed(piece)
            while (message := decoder.pop()) is not None:
                found.append(message)
    except MalformedUsbIp:
        found.append("malformed")
    return found


def usbip_server(data: bytes) -> None:
    """What a client sends: operations, then transfers once it has imported."""
    assert _requests([data]) == _requests(_cut(data, 7))


def _requests(pieces: list[bytes]) -> list[object]:
    decoder = ServerDecoder(LIMIT)
    found: list[object] = []
    try:
        for piece in pieces:
            decoder.feed(piece)
            while (message := decoder.pop()) is not None:
                found.append(message)
                if isinstance(message, ImportRequest):
                    decoder.imported()
                if isinstance(message, Submit):
                    assert message.length <= LIMIT
                    again = ServerDecoder(LIMIT)
                    again.imported()
                    again.feed(replace(message, flags=0).encode())
                    assert again.pop() == replace(message, flags=0)
    except MalformedUsbIp:
        found.append("malformed")
    return found


TARGETS: Mapping[str, Target] = {
    target.__name__: target
    for target in (
        cbor,
        answers,
        raw,
        line,
        driver,
        certificates,
        descriptors,
        device,
        description,
        usbip_client,
        usbip_server,
    )
}
