"""The package: what is in a prepared file, all that the phone will need. No I/O."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

from usbprov.offline.document import (
    Reading,
    base64_all,
    base64_of,
    key_value,
    parse,
    phone_value,
    read_key,
    read_phone,
    read_settings,
    settings_value,
)
from usbprov.phone.contract import KeyState, PhoneInfo, PhoneSettings

_MOST_SLOTS = 16


@dataclass(frozen=True)
class Application:
    """That the file was applied: when, and to which phone (serial number, MAC)."""

    at: datetime
    serial: str
    mac: str


@dataclass(frozen=True)
class Package:
    """What a prepared file holds.

    Attributes:
        made: When it was begun, by the clock of the computer where the servers are (UTC).
        phone: The phone that it is for, as far as it is known: its serial number may be ``""``,
            which stands for any; there is no clock in it, and no slot.
        slot: The slot that it is for.
        key: The key, public part; None while there is none yet.
        existing: Whether the key was the phone's before, so that the file only renews.
        pkcs8: The key itself (DER) where a computer made it; secret. None where a phone did.
        request: The phone's request (DER), where the phone made the key.
        certificate: The user certificate (DER); None while there is none yet.
        settings: User and servers; None while there is no certificate.
        server_chain: What the Web Services presented over TLS (DER each, their own first).
        roots: Above it, up to the root: what the phone must trust (DER each).
        applied: When it was applied, and to what.
        clock_behind: How many seconds the phone's clock was behind when it asked, where it is
            known, and nobody can set it.
    """

    made: datetime
    phone: PhoneInfo
    slot: int = 0
    key: KeyState | None = None
    existing: bool = False
    pkcs8: bytes | None = field(default=None, repr=False)
    request: bytes | None = None
    certificate: bytes | None = None
    settings: PhoneSettings | None = None
    server_chain: tuple[bytes, ...] = ()
    roots: tuple[bytes, ...] = ()
    applied: tuple[Application, ...] = ()
    clock_behind: int | None = None

    def encode(self) -> bytes:
        """Write it as a document, which is secret where it has a key."""
        document = {
            "made": self.made.isoformat(),
            "phone": phone_value(self.phone),
            "slot": self.slot,
            "key": self.key and key_value(self.key),
            "existing": self.existing,
            "pkcs8": base64_of(self.pkcs8),
            "request": base64_of(self.request),
            "certificate": base64_of(self.certificate),
            "settings": self.settings and settings_value(self.settings),
            "server_chain": base64_all(self.server_chain),
            "roots": base64_all(self.roots),
            "applied": [{**vars(done), "at": done.at.isoformat()} for done in self.applied],
            "clock_behind": self.clock_behind,
        }
        return json.dumps(document).encode()


def decode_package(data: bytes) -> Package:
    """Read a document.

    Raises:
        Damaged: It is not as ``encode`` writes it. Nothing of its content is in the words.
    """
    of = parse(data)
    return Package(
        made=of.moment("made"),
        phone=read_phone(of.inner("phone")),
        slot=of.number("slot", 0, _MOST_SLOTS),
        key=read_key(of.inner("key")) if of.has("key") else None,
        existing=of.flag("existing"),
        pkcs8=of.data_or_none("pkcs8"),
        request=of.data_or_none("request"),
        certificate=of.data_or_none("certificate"),
        settings=read_settings(of.inner("settings")) if of.has("settings") else None,
        server_chain=of.datas("server_chain"),
        roots=of.datas("roots"),
        applied=tuple(_application(Reading(each, "applied")) for each in of.items("applied")),
        clock_behind=of.seconds_or_none("clock_behind"),
    )


def _application(of: Reading) -> Application:
    return Application(of.moment("at"), of.text("serial"), of.text("mac"))


def present() -> datetime:
    """Return the moment, UTC, to the second, as a file has it."""
    return datetime.now(UTC).replace(microsecond=0)
