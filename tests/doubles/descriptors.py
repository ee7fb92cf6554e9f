"""USB descriptors by hand, true ones and lies, with struct code of their own."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

DEVICE, CONFIGURATION, STRING = 1, 2, 3
SMP = (0xFF, 0x05, 0x50)
BULK = 2

Descriptors = Mapping[tuple[int, int], bytes]
"""What a device answers to GET_DESCRIPTOR, by type and index; it stalls what is not here."""


def string(text: str, *, length: int | None = None) -> bytes:
    raw = text.encode("utf-16-le", "surrogatepass")
    return bytes([min(255, 2 + len(raw)) if length is None else length, STRING]) + raw


def device(*, configurations: int = 1, strings: bytes = b"\x01\x02\x03", cls: int = 0) -> bytes:
    head = struct.pack("<BBHBBBBHHH", 18, DEVICE, 0x0200, cls, 0, 0, 64, 0x1209, 1, 0x0100)
    return head + strings + bytes([configurations])


def interface(
    number: int = 0,
    alternate: int = 0,
    endpoints: int = 2,
    triple: tuple[int, int, int] = SMP,
    name: int = 4,
) -> bytes:
    return bytes([9, 4, number, alternate, endpoints, *triple, name])


def endpoint(address: int, kind: int = BULK, size: int = 512, interval: int = 0) -> bytes:
    return struct.pack("<BBBBHB", 7, 5, address, kind, size, interval)


def configuration(*parts: bytes, total: int | None = None, interfaces: int = 1) -> bytes:
    body = b"".join(parts)
    size = min(0xFFFF, 9 + len(body)) if total is None else total
    return struct.pack("<BBHBBBBB", 9, CONFIGURATION, size, interfaces, 1, 0, 0x80, 50) + body


PAIR = endpoint(0x01) + endpoint(0x81)
UNION = bytes.fromhex("0524001001 04240202 0524060001")

TRUE: Descriptors = {
    (DEVICE, 0): device(),
    (CONFIGURATION, 0): configuration(interface(), PAIR),
    (STRING, 0): b"\x04\x03\x09\x04",
    (STRING, 1): string("usbprov"),
    (STRING, 2): string("EP-100"),
    (STRING, 3): string("EMU0001"),
    (STRING, 4): string("usbprov SMP"),
}


def _but(kind: int, index: int, raw: bytes | None) -> Descriptors:
    rest = {key: value for key, value in TRUE.items() if key != (kind, index)}
    return rest if raw is None else rest | {(kind, index): raw}


def _config(*parts: bytes, total: int | None = None, interfaces: int = 1) -> Descriptors:
    return _but(CONFIGURATION, 0, configuration(*parts, total=total, interfaces=interfaces))


def _every_configuration(count: int, raw: bytes) -> Descriptors:
    same = {(CONFIGURATION, index): raw for index in range(count)}
    return {**TRUE, **same, (DEVICE, 0): device(configurations=count)}


_FULL = 0xFFFF - 9

LIES: Mapping[str, Descriptors] = {
    "nothing at all": {},
    "a device of no bytes": _but(DEVICE, 0, b""),
    "a device cut short": _but(DEVICE, 0, device()[:17]),
    "a device with bLength 0": _but(DEVICE, 0, b"\0" + device()[1:]),
    "a device with bLength 255": _but(DEVICE, 0, b"\xff" + device()[1:]),
    "no configuration": _but(DEVICE, 0, device(configurations=0)),
    "255 configurations, one there": _but(DEVICE, 0, device(configurations=255)),
    "255 configurations, all full": _every_configuration(
        255, configuration(interface() * (_FULL // 9))
    ),
    "every string has index 255": _but(DEVICE, 0, device(strings=b"\xff\xff\xff")),
    "a configuration of one byte": _but(CONFIGURATION, 0, b"\x09"),
    "a configuration of length 0": _config(interface(), PAIR, total=0),
    "a configuration of length 8": _config(interface(), PAIR, total=8),
    "a configuration of length 65535": _config(interface(), PAIR, total=0xFFFF),
    "a configuration without end": _config(interface() * (_FULL // 9)),
    "descriptors of two bytes without end": _config(b"\x02\x30" * (_FULL // 2)),
    "endpoints without end": _config(interface(), endpoint(0x81) * ((_FULL - 9) // 7)),
    "bLength 0 within": _config(interface(), b"\x00\x05\x81"),
    "bLength 1 within": _config(interface(), b"\x01\x05\x81"),
    "bLength beyond the end": _config(interface(), b"\xff\x05\x81"),
    "an interface too short": _config(b"\x05\x04\x00\x00\x02"),
    "an endpoint too short": _config(interface(), b"\x03\x05\x81"),
    "zero endpoints": _config(interface(endpoints=0)),
    "two endpoints claimed, none there": _config(interface(endpoints=2)),
    "255 interfaces": _config(*(interface(n) + PAIR for n in range(255)), interfaces=255),
    "255 interfaces claimed": _config(interface(), PAIR, interfaces=255),
    "256 alternate settings": _config(*(interface(0, n) + PAIR for n in range(256))),
    "the same interface 40 times": _config(*([interface() + PAIR] * 40)),
    "the same endpoint twice": _config(interface(), PAIR, PAIR),
    "endpoint 0": _config(interface(), endpoint(0x00), endpoint(0x80)),
    "endpoints with no room": _config(interface(), endpoint(0x01, size=0), endpoint(0x81, size=0)),
    "endpoints of 2047 bytes": _config(
        interface(), endpoint(0x01, size=2047), endpoint(0x81, size=2047)
    ),
    "reserved endpoint bits": _config(
        interface(), endpoint(0x71, kind=0xFE, size=0xFFFF), endpoint(0xF1, kind=0xFE, size=0xFFFF)
    ),
    "endpoints before any interface": _config(PAIR, interface()),
    "a union of interfaces that are not there": _config(
        interface(0, 0, 1, (2, 2, 0), 4), UNION[:-2] + b"\xfe\xff", endpoint(0x83, 3, 16, 9)
    ),
    "a union cut short": _config(interface(0, 0, 1, (2, 2, 0), 4), b"\x03\x24\x06"),
    "a union of itself": _config(interface(0, 0, 1, (2, 2, 0), 4), b"\x05\x24\x06\x00\x00"),
    "an association of 255": _config(b"\x08\x0b\x00\xff\x02\x02\x00\x00", interface(), PAIR),
    "no languages": _but(STRING, 0, b"\x02\x03"),
    "languages cut short": _but(STRING, 0, b"\x03\x03\x09"),
    "126 languages": _but(STRING, 0, b"\xfe\x03" + bytes(range(252))),
    "languages are no string": _but(STRING, 0, TRUE[CONFIGURATION, 0]),
    "languages stall": _but(STRING, 0, None),
    "a string of no bytes": _but(STRING, 3, b""),
    "a string of length 0": _but(STRING, 3, string("serial", length=0)),
    "a string of length 1": _but(STRING, 3, string("serial", length=1)),
    "a string of odd length": _but(STRING, 3, string("serial", length=7)),
    "a string of length 255": _but(STRING, 3, string("serial", length=255)),
    "a string longer than its length": _but(STRING, 3, string("serial" * 30, length=4)),
    "half a surrogate pair": _but(STRING, 3, string("a\ud800b")),
    "a string for terminals": _but(STRING, 3, string("\x1b]0;owned\x07\x1b[2J\x9b31m\r\n\x00")),
    "a string that turns the line round": _but(STRING, 3, string("\u202e\u2066evil\u200f")),
    "a string of marks": _but(STRING, 3, string("[red]x[/nothing][link=file:///]")),
    "a string of braces": _but(STRING, 3, string("{0} {phone} {} %s %(x)d")),
    "a string of blanks": _but(STRING, 3, string("\u00a0\u2003\u3000\ufeff")),
    "every string is the same lie": {
        **TRUE,
        **{(STRING, index): string("\x1b[31mEMU0001\x1b[0m" * 4) for index in range(1, 256)},
    },
}
"""Devices that lie, by what they do. What is not a lie here is as in ``TRUE``."""


@dataclass(frozen=True)
class Request:
    """A control transfer as a device sees it."""

    kind: int
    code: int
    value: int
    index: int
    length: int

    @classmethod
    def parse(cls, setup: bytes) -> "Request":
        return cls(*struct.unpack("<BBHHH", setup))


def answer(said: Descriptors, request: Request) -> bytes | None:
    """Answer a control transfer; None for a stall."""
    if (request.kind, request.code) == (0x80, 6):
        raw = said.get((request.value >> 8, request.value & 0xFF))
        return None if raw is None else raw[: request.length]
    if (request.kind, request.code) == (0x80, 8):
        return b"\x01"[: request.length]
    return b""


def lying(said: Descriptors) -> Callable[[int, int, bytes], bytes | None]:
    """Make the hook by which an emulated device says these instead of its own."""
    return lambda kind, index, _true: said.get((kind, index))
