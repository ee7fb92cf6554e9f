"""The documents in carried files: JSON (RFC 8259), read as strictly as if a stranger had made them.

Bytes are base64, digests and nonces hex, times UTC in ISO 8601.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

from usbprov.phone.contract import Capability, KeyState, PhoneInfo, PhoneSettings
from usbprov.pki.limits import ChainLimits, SignatureKind

E = TypeVar("E", bound=Enum)

MOST_ITEMS = 1024
"""Of a list: a phone's trusted roots are the longest."""

LONGEST_TEXT = 2048

_MOST_SECONDS = 10**10
"""Three hundred years: some clocks begin in 1970, and none is farther off."""


class Damaged(ValueError):
    """A document is not as it should be; the words say where."""


class Reading:
    """One JSON object, read by the names of its members; each reader refuses another type."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise Damaged(f"{where} is no object")
        self._value: Mapping[str, Any] = value
        self._where = where

    @property
    def raw(self) -> Mapping[str, Any]:
        """The object as it was parsed."""
        return self._value

    def _of(self, name: str, kind: type | tuple[type, ...]) -> Any:
        value = self._value.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise Damaged(f"{self._where}: {name} is missing or of another kind")
        return value

    def has(self, name: str) -> bool:
        """Say whether there is such a member, and it is not null."""
        return self._value.get(name) is not None

    def text(self, name: str) -> str:
        """Return a text."""
        value: str = self._of(name, str)
        if len(value) > LONGEST_TEXT or not value.isprintable():
            raise Damaged(f"{self._where}: {name} is no line of text")
        return value

    def text_or_none(self, name: str) -> str | None:
        """Return a text, or None where there is none."""
        return self.text(name) if self.has(name) else None

    def number(self, name: str, least: int, most: int) -> int:
        """Return a whole number within bounds."""
        value: int = self._of(name, int)
        if not least <= value <= most:
            raise Damaged(f"{self._where}: {name} is {value}")
        return value

    def seconds_or_none(self, name: str) -> int | None:
        """Return a length of time in seconds, of either sign, or None where there is none."""
        return self.number(name, -_MOST_SECONDS, _MOST_SECONDS) if self.has(name) else None

    def flag(self, name: str) -> bool:
        """Return true or false."""
        value = self._value.get(name)
        if not isinstance(value, bool):
            raise Damaged(f"{self._where}: {name} is missing or of another kind")
        return value

    def items(self, name: str) -> Sequence[Any]:
        """Return a list."""
        value: list[Any] = self._of(name, list)
        if len(value) > MOST_ITEMS:
            raise Damaged(f"{self._where}: {name} has {len(value)} elements")
        return value

    def inner(self, name: str) -> "Reading":
        """Return an object within this one."""
        return Reading(self._value.get(name), name)

    def data(self, name: str) -> bytes:
        """Return bytes."""
        return _unbase64(self._of(name, str), name)

    def data_or_none(self, name: str) -> bytes | None:
        """Return bytes, or None where there are none."""
        return self.data(name) if self.has(name) else None

    def datas(self, name: str) -> tuple[bytes, ...]:
        """Return a list of bytes."""
        return tuple(_unbase64(value, name) for value in self.items(name))

    def digest(self, name: str) -> str:
        """Return a SHA-256 in lower-case hex."""
        return _hex(self._value.get(name), 32, name).hex()

    def digests(self, name: str) -> frozenset[str]:
        """Return a set of them."""
        return frozenset(_hex(value, 32, name).hex() for value in self.items(name))

    def hex(self, name: str, size: int) -> bytes:
        """Return so many bytes that are written in hex."""
        return _hex(self._value.get(name), size, name)

    def moment(self, name: str) -> datetime:
        """Return a time, UTC."""
        try:
            value = datetime.fromisoformat(self.text(name))
            return value.astimezone(UTC)
        except (ValueError, OverflowError):
            raise Damaged(f"{self._where}: {name} is no time") from None

    def members(self, name: str, kind: type[E]) -> frozenset[E]:
        """Return members of an enumeration, by their values."""
        try:
            return frozenset(kind(value) for value in self.items(name))
        except (ValueError, TypeError):
            raise Damaged(f"{self._where}: {name} has what is not known") from None


def _unbase64(text: object, name: str) -> bytes:
    try:
        return base64.b64decode(text if isinstance(text, str) else "!", validate=True)
    except (binascii.Error, ValueError):
        raise Damaged(f"{name} is no base64") from None


def _hex(text: object, size: int, name: str) -> bytes:
    try:
        value = bytes.fromhex(text if isinstance(text, str) else "?")
    except ValueError:
        raise Damaged(f"{name} is no hex") from None
    if len(value) != size:
        raise Damaged(f"{name} has {len(value)} bytes, not {size}")
    return value


def parse(data: bytes) -> Reading:
    """Read a document.

    Raises:
        Damaged: It is no JSON object.
    """
    try:
        return Reading(json.loads(data), "the document")
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise Damaged("it is no JSON") from None


def base64_of(data: bytes | None) -> str | None:
    """Write bytes, or nothing."""
    return None if data is None else base64.b64encode(data).decode("ascii")


def base64_all(data: Iterable[bytes]) -> list[str]:
    """Write a list of bytes."""
    return [base64.b64encode(each).decode("ascii") for each in data]


# --- what both kinds of file have


def key_value(key: KeyState) -> dict[str, str]:
    """Write the public part of a key in a slot."""
    return {"sha256": key.sha256, "nonce": key.nonce.hex()}


def read_key(of: Reading) -> KeyState:
    """Read it."""
    return KeyState(of.digest("sha256"), of.hex("nonce", 16))


def settings_value(settings: PhoneSettings) -> dict[str, str | None]:
    """Write what a phone is to be told."""
    return dict(vars(settings))


def read_settings(of: Reading) -> PhoneSettings:
    """Read it."""
    return PhoneSettings(
        of.text("sip_uri"), of.text("web_services_url"), of.text_or_none("registrar")
    )


def phone_value(info: PhoneInfo) -> dict[str, object]:
    """Write what a phone says of itself, as far as it must be known elsewhere; not its slots."""
    limits = info.limits
    return {
        "vendor": info.vendor,
        "model": info.model,
        "firmware": info.firmware,
        "serial": info.serial,
        "mac": info.mac,
        "capabilities": sorted(capability.value for capability in info.capabilities),
        "rsa_bits": list(info.rsa_bits),
        "roots": sorted(info.roots),
        "limits": limits
        and {
            "signatures": sorted(kind.value for kind in limits.signatures),
            "rsa_bits": limits.rsa_bits,
        },
    }


def read_phone(of: Reading) -> PhoneInfo:
    """Read it; there is no clock in it, and no slot."""
    return PhoneInfo(
        vendor=of.text("vendor"),
        model=of.text("model"),
        firmware=of.text("firmware"),
        serial=of.text("serial"),
        mac=of.text("mac"),
        capabilities=of.members("capabilities", Capability),
        rsa_bits=_sizes(of),
        clock=None,
        slots=(),
        roots=of.digests("roots"),
        limits=_limits(of.inner("limits")) if of.has("limits") else None,
    )


def _sizes(of: Reading) -> tuple[int, ...]:
    sizes = of.items("rsa_bits")
    if not all(type(bits) is int for bits in sizes):
        raise Damaged("rsa_bits are no numbers")
    return tuple(sizes)


def _limits(of: Reading) -> ChainLimits:
    bits = of.number("rsa_bits", 0, 1 << 16) if of.has("rsa_bits") else None
    return ChainLimits(of.members("signatures", SignatureKind), bits)
