"""Bytes explained one by one, and hex as people write it."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from usbprov.errors import OptionInvalid
from usbprov.webservices.discovery.findings import Finding, FindingKind

MAX_BYTES = 2048
"""More than any DHCP message holds."""

_SEPARATORS = re.compile(r"0[xX]|[\s:.,;\-\"'{}]+")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")


@dataclass(frozen=True)
class Span:
    """Some bytes of an option and what they mean.

    Attributes:
        offset: Of the first byte.
        data: The bytes.
        meaning: In words.
    """

    offset: int
    data: bytes
    meaning: str


def parse_hex(text: str) -> bytes:
    """Read hex as it is pasted from tools and configurations: with colons, dots, spaces, ``0x``.

    Raises:
        OptionInvalid: It is not hex, or absurdly long.
    """
    digits = _SEPARATORS.sub("", text)
    if len(digits) > 2 * MAX_BYTES:
        raise OptionInvalid("the value", f"it is longer than {MAX_BYTES} bytes")
    if len(digits) % 2 or not re.fullmatch(r"[0-9A-Fa-f]*", digits):
        raise OptionInvalid("the value", "it is not bytes in hex")
    return bytes.fromhex(digits)


def without_header(data: bytes, code: int) -> tuple[bytes, list[Finding]]:
    """Take the option's own code and length away, if somebody left them before the value."""
    if len(data) > 2 and data[0] == code and data[1] == len(data) - 2:
        return data[2:], [Finding(FindingKind.OPTION_HEADER, value=spaced(data[:2]))]
    return data, []


def is_hex_text(data: bytes) -> bool:
    """Tell whether the bytes are hex digits written as text."""
    return len(data) >= 8 and len(data) % 2 == 0 and bool(re.fullmatch(rb"[0-9A-Fa-f]+", data))


def spaced(data: bytes, most: int = 24) -> str:
    """Write bytes as ``0c 4d 53``, the rest of a long run as dots."""
    shown = data[:most].hex(" ")
    return shown if len(data) <= most else f"{shown} …"


def quoted(data: bytes) -> str:
    """Write bytes as text in quotation marks, what is not printable as an escape."""
    text = "".join(chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}" for b in data)
    return f'"{text}"'


def is_name(text: str) -> bool:
    """Tell whether the text is a DNS host name."""
    labels = text.removesuffix(".").split(".")
    return len(text) <= 253 and all(_LABEL.match(label) for label in labels)


def is_address(text: str) -> bool:
    """Tell whether the text is an IP address."""
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def is_within(host: str, domain: str) -> bool:
    """Tell whether a host is the domain or within it."""
    host, domain = host.lower().removesuffix("."), domain.lower()
    return host == domain or host.endswith(f".{domain}")


def name_findings(text: str, where: str) -> Iterator[Finding]:
    """Judge what should be the fully qualified name of a server."""
    if is_address(text):
        yield Finding(FindingKind.NAME_IS_ADDRESS, where, text)
    elif not is_name(text):
        yield Finding(FindingKind.NAME_INVALID, where, text)
    elif "." not in text.removesuffix(".") or text.endswith("."):
        yield Finding(FindingKind.NAME_NOT_QUALIFIED, where, text)
