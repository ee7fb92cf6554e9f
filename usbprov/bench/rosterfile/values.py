"""What stands in a cell, made into the one form that the bench works with.

Every function takes what people and tools write, and raises ``ValueError`` with words for whoever
has to correct it. What a PIN's cell says is never repeated.
"""

import re
from collections.abc import Callable, Mapping

from usbprov.bench.rosterfile.columns import Field

LONGEST_LABEL = 16
"""Characters of a port's label: it must be read from a tile across the room."""

_LONGEST_NAME = 128
_LONGEST_SERIAL = 64
_MOST_PHONE_DIGITS = 15  # ITU-T E.164 6.1

_FROM_SPREADSHEET = re.compile(r"\d+\.0+|\d(?:[.,]\d+)?E\+?\d+", re.IGNORECASE)
_NUMBER = re.compile(rf"\+?\d{{1,{_MOST_PHONE_DIGITS}}}", re.ASCII)
_EXTENSION_PART = re.compile(r";ext=([0-9]+)", re.IGNORECASE)
_MAC = re.compile(r"[0-9a-f]{12}")
_SEPARATORS = re.compile(r"[\s:.\-]")
_SIP = re.compile(r"(?:sips?:)?([^\s@<>\"\\,;:?]+)@((?:[a-z0-9_-]+\.)*[a-z0-9_-]+)", re.IGNORECASE)
_SERIAL = re.compile(rf"[!-~]{{1,{_LONGEST_SERIAL}}}")
_PIN = re.compile(r"\d{4,24}", re.ASCII)


def extension(text: str) -> str:
    """Read what is keyed in beside a PIN: an extension, a phone number, or a ``tel:`` address.

    ``tel:+14255551001;ext=1001`` (the LineURI of Lync) is extension 1001; without ``ext`` it is
    the whole number (RFC 3966).
    """
    part = _EXTENSION_PART.search(text)
    if part:
        return part[1]
    _refuse_spreadsheet(text)
    bare = re.sub(r"[\s().\-]", "", text.lower().removeprefix("tel:").partition(";")[0])
    if not _NUMBER.fullmatch(bare):
        raise ValueError(f"{_shown(text)} is no extension or phone number")
    return bare


def sip_uri(text: str) -> str:
    """Read a user's address, with ``sip:`` or without; returned in lower case, with it."""
    found = _SIP.fullmatch(text)
    if found is None or not text.isprintable():
        raise ValueError(f"{_shown(text)} is no SIP address like sip:alice@contoso.com")
    return f"sip:{found[1]}@{found[2]}".lower()


def mac(text: str) -> str:
    """Read a MAC address in any notation: ``0004F2ABCDEF``, ``00-04-f2-…``, ``0004.f2ab.cdef``."""
    digits = _SEPARATORS.sub("", text.lower())
    if not _MAC.fullmatch(digits):
        raise ValueError(f"{_shown(text)} is no MAC address: it must have 12 hexadecimal digits")
    if int(digits[:2], 16) & 1 or not int(digits, 16):
        raise ValueError(f"{_shown(text)} is no MAC address of one device")
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def serial(text: str) -> str:
    """Read a serial number: signs that a bar code has, no spaces."""
    _refuse_spreadsheet(text)
    if not _SERIAL.fullmatch(text):
        raise ValueError(f"{_shown(text)} is no serial number")
    return text


def label(text: str) -> str:
    """Read the label of a port."""
    if not text.isprintable() or not 0 < len(text) <= LONGEST_LABEL:
        raise ValueError(
            f"{_shown(text)} is no label: at most {LONGEST_LABEL} signs that can be shown"
        )
    return text


def name(text: str) -> str:
    """Read what people call a user."""
    if not text.isprintable() or len(text) > _LONGEST_NAME:
        raise ValueError("the name has a line break or control character, or is too long")
    return text


def pin(text: str) -> str:
    """Read a PIN: 4 to 24 digits, as New-CsPinPolicy and Set-CsClientPin take them."""
    if _FROM_SPREADSHEET.fullmatch(text):
        raise ValueError("a spreadsheet has made a number of the PIN: format the column as text")
    if not _PIN.fullmatch(text):
        raise ValueError("it is no PIN: a PIN has 4 to 24 digits and nothing else")
    return text


def is_pin(text: str) -> bool:
    """Say whether a text can be a PIN."""
    return _PIN.fullmatch(text) is not None


def _shown(text: str) -> str:
    """Repeat what stands there, unless it may be a PIN that has come into a wrong column."""
    return f"a number of {len(text)} digits" if text.isdigit() else repr(text)


def _refuse_spreadsheet(text: str) -> None:
    if _FROM_SPREADSHEET.fullmatch(text):
        raise ValueError(
            f"{text!r} is what a spreadsheet made of it: format the column as text, and key it in"
        )


READERS: Mapping[Field, Callable[[str], str]] = {
    Field.EXTENSION: extension,
    Field.SIP_URI: sip_uri,
    Field.SERIAL: serial,
    Field.MAC: mac,
    Field.PORT: label,
    Field.NAME: name,
    Field.PIN: pin,
}
