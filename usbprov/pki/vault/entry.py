"""A stored key pair without its private half: whose it is, and which phones it was given to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from usbprov.pki.keys import key_digest
from usbprov.pki.scrypt import Cost
from usbprov.pki.vault.keys import Kdf


@dataclass(frozen=True)
class Device:
    """A phone, as it says over its own protocol.

    Attributes:
        serial: Serial number.
        mac: Lower-case hex with colons.
    """

    serial: str
    mac: str

    def __str__(self) -> str:
        return f"serial {self.serial}, MAC {self.mac}"

    def is_named(self, name: str) -> bool:
        """Say whether a serial number, or a MAC in any usual form, is this phone's."""
        return name == self.serial or _digits(name) == _digits(self.mac)


def _digits(mac: str) -> str:
    return mac.lower().replace(":", "").replace("-", "").replace(".", "")


@dataclass(frozen=True)
class Binding:
    """That the pair was bound to a phone.

    Attributes:
        device: The phone.
        at: UTC.
    """

    device: Device
    at: datetime


@dataclass(frozen=True)
class Entry:
    """All that is known of a pair without a passphrase.

    Attributes:
        user: SIP URI with its scheme. It is for this user only, for ever.
        public: SubjectPublicKeyInfo, DER.
        made: When it was stored, UTC.
        bindings: The phones that it was bound to; the last one is the present one.
        kdf: How the key that encrypts it is derived.
        iv: Initialisation vector of the encryption.
    """

    user: str
    public: bytes
    made: datetime
    bindings: tuple[Binding, ...]
    kdf: Kdf
    iv: bytes

    @property
    def device(self) -> Device:
        """The phone that it is bound to."""
        return self.bindings[-1].device

    @property
    def bound(self) -> datetime:
        """Since when it is bound to that phone."""
        return self.bindings[-1].at

    @cached_property
    def key(self) -> rsa.RSAPublicKey:
        """The public key.

        Raises:
            ValueError: It is none, or not of RSA.
        """
        key = load_der_public_key(self.public)
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError("it is not an RSA key")  # noqa: TRY004 - the file says so
        return key

    @property
    def bits(self) -> int:
        """Length of the modulus."""
        return self.key.key_size

    @cached_property
    def sha256(self) -> str:
        """Digest of the public key, by which the pair is named."""
        return key_digest(self.key)

    def is_of(self, user: str) -> bool:
        """Say whether it is this user's; upper and lower case are the same."""
        return self.user.lower() == user.lower()

    def bound_to(self, device: Device, at: datetime) -> "Entry":
        """Return the same pair, bound to another phone from now on."""
        return replace(self, bindings=(*self.bindings, Binding(device, at)))


def to_json(entry: Entry) -> str:
    """Write it in one line of JSON, ASCII only, names sorted."""
    cost = entry.kdf.cost
    document = {
        "user": entry.user,
        "public_key": entry.public.hex(),
        "made": _written(entry.made),
        "bindings": [
            {"serial": b.device.serial, "mac": b.device.mac, "at": _written(b.at)}
            for b in entry.bindings
        ],
        "scrypt": {"n": cost.n, "r": cost.r, "p": cost.p, "salt": entry.kdf.salt.hex()},
        "iv": entry.iv.hex(),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def from_json(line: str) -> Entry:
    """Read what ``to_json`` wrote.

    Raises:
        ValueError: It is not of that form.
    """
    try:
        document: Mapping[str, Any] = json.loads(line)
        scrypt = document["scrypt"]
        entry = Entry(
            user=_text(document["user"]),
            public=bytes.fromhex(document["public_key"]),
            made=datetime.fromisoformat(document["made"]),
            bindings=tuple(_binding(bound) for bound in document["bindings"]),
            kdf=Kdf(
                bytes.fromhex(scrypt["salt"]),
                Cost(*(_number(scrypt[name]) for name in ("n", "r", "p"))),
            ),
            iv=bytes.fromhex(document["iv"]),
        )
        sound = bool(entry.bindings and entry.sha256) and to_json(entry) == line
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        sound = False
    if not sound:
        raise ValueError("its description cannot be read")
    return entry


def _binding(given: Mapping[str, Any]) -> Binding:
    device = Device(_text(given["serial"]), _text(given["mac"]))
    return Binding(device, datetime.fromisoformat(given["at"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
