"""The phone contract: what every family's driver offers to the engine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol

from usbprov.pki.limits import ChainLimits
from usbprov.usb.devices import AttachedDevice, DeviceFacts, LinkKind
from usbprov.usb.matching import UsbMatch

POSSESSION_PREFIX = b"usbprov possession proof v1\x00"
"""What the phone puts before the host's nonce when it proves that it holds a key.

A fixed prefix keeps the proof from being a signature over bytes of a third party's choice.
"""

NONCE_SIZE = 16
"""Bytes of every nonce that the host sends."""

SIGN_IN_SLOT = 0
"""The slot with which a phone signs in; ``PhoneInfo.settings`` are those of this one."""


class Capability(Enum):
    """What a model can do; a driver reports it, the engine asks nothing else of a model."""

    GENERATE_KEY = "generate-key"
    """Make a key pair itself; the private key never leaves it."""
    IMPORT_KEY = "import-key"
    """Take a host-made private key."""
    TRUST_STORE = "trust-store"
    """List and take trusted root certificates."""
    SET_CLOCK = "set-clock"
    CONFIGURE = "configure"
    PROVE = "prove"
    SIGN = "sign"
    IDENTIFY = "identify"


class ObjectKind(Enum):
    """The kinds of object that a phone stores and gives back; a private key is not among them."""

    CERTIFICATE = "cert"
    CHAIN = "chain"


@dataclass(frozen=True)
class KeyState:
    """A key in a slot.

    Attributes:
        sha256: Digest of its SubjectPublicKeyInfo (DER), lower-case hex.
        nonce: The ``NONCE_SIZE`` bytes that its maker's host gave when it was made or imported;
            by it a job recognises its own key after an interruption.
    """

    sha256: str
    nonce: bytes


@dataclass(frozen=True)
class SlotState:
    """A credential slot: what is in use, and what waits for the commit.

    Attributes:
        number: The slot's number, from 0.
        active_key: The key in use, or None.
        active_certificate: SHA-256 of the certificate in use (whole DER), lower-case hex, or None.
        pending_key: A key made or imported, not yet committed with a certificate, or None.
    """

    number: int
    active_key: KeyState | None = None
    active_certificate: str | None = None
    pending_key: KeyState | None = None


@dataclass(frozen=True)
class PhoneSettings:
    """What the phone must know to sign in.

    Attributes:
        sip_uri: The user's address with its scheme: ``sip:alice@contoso.test``.
        web_services_url: URL of the certificate provisioning service, for its own renewals.
        registrar: ``host`` or ``host:port``, or None where not known.
    """

    sip_uri: str
    web_services_url: str
    registrar: str | None = None


@dataclass(frozen=True, slots=True)  # a bench keeps one for each phone that it has done
class PhoneIdentity:
    """Which phone this is, as it says over its own protocol, whatever USB says.

    Attributes:
        serial: Serial number; may differ from the USB string.
        mac: Lower-case hex with colons.
    """

    serial: str
    mac: str

    def __str__(self) -> str:
        return f"serial {self.serial}, MAC {self.mac}"


@dataclass(frozen=True)
class PhoneInfo:
    """What a phone says of itself over its own protocol.

    Attributes:
        vendor: Maker's name.
        model: Model name; the key of the model table.
        firmware: Version as the phone writes it.
        serial: Serial number by protocol; may differ from the USB string.
        mac: Lower-case hex with colons.
        capabilities: What it can do.
        rsa_bits: RSA moduli that it takes, in bits, ascending.
        clock: Its UTC clock at the time of asking, or None where it has none.
        slots: Its credential slots, by number.
        roots: SHA-256 (whole DER, lower-case hex) of each trusted root certificate.
        settings: The settings in force, or None.
        limits: What it can verify in a server's chain, or None where it does not say; ask
            ``models.chain_limits``, which knows some models.
    """

    vendor: str
    model: str
    firmware: str
    serial: str
    mac: str
    capabilities: frozenset[Capability]
    rsa_bits: tuple[int, ...]
    clock: datetime | None
    slots: tuple[SlotState, ...]
    roots: frozenset[str] = frozenset()
    settings: PhoneSettings | None = None
    limits: ChainLimits | None = None

    @property
    def identity(self) -> PhoneIdentity:
        """Which phone this is."""
        return PhoneIdentity(self.serial, self.mac)


@dataclass(frozen=True)
class Credential:
    """A certificate to install, with the certificates above it.

    Attributes:
        certificate: The user certificate, DER.
        chain: Certificates above it, DER each, issuer first; may be empty, since the Web
            Services sign with a key of their own.
    """

    certificate: bytes
    chain: Sequence[bytes] = field(default=())


Progress = Callable[[int], None]
"""Called with a percentage, 0 to 100, while something lasts."""


class Phone(Protocol):
    """An opened phone. Not thread-safe; every method may raise ``UsbError`` and ``PhoneError``.

    Methods that a model cannot do raise ``Unsupported``; ask ``info().capabilities`` first.
    """

    @property
    def facts(self) -> DeviceFacts:
        """Where it is attached, and its USB descriptors."""
        ...

    @property
    def may_be_exchanged(self) -> bool:
        """Whether another phone may be at the cable's end without an error of the cable.

        That is so of a serial line. On USB the connection ends with the device.
        """
        ...

    def identity(self) -> PhoneIdentity:
        """Ask the phone which one it is; one short question."""
        ...

    def info(self) -> PhoneInfo:
        """Ask the phone for its present state."""
        ...

    def read_clock(self) -> datetime | None:
        """Ask the phone for its UTC clock; None where it has none. One short question."""
        ...

    def generate_key(
        self, slot: int, bits: int, nonce: bytes, *, replace: bool, progress: Progress
    ) -> KeyState:
        """Have the phone make an RSA key as the slot's pending key; may take minutes.

        A pending key whose nonce is ``nonce`` is returned as it is, so a repeat makes no second.

        Raises:
            SlotOccupied: The slot holds any other key or certificate and ``replace`` is false.
            KeyGenerationFailed: The phone says so, or does not end in time.
        """
        ...

    def import_key(self, slot: int, pkcs8: bytes, nonce: bytes, *, replace: bool) -> KeyState:
        """Give the phone a host-made key (PKCS#8 DER) as the slot's pending key.

        Raises:
            SlotOccupied: As for ``generate_key``.
        """
        ...

    def request(self, slot: int, common_name: str) -> bytes:
        """Return a PKCS#10 request (DER) signed with the pending key, else with the active one."""
        ...

    def install(
        self, slot: int, credential: Credential, settings: PhoneSettings, progress: Progress
    ) -> None:
        """Transfer certificate, chain and settings, then commit all of them at once.

        Until the commit the old credential stays in use. A transfer that was begun is resumed.

        Raises:
            CredentialMismatch: The certificate is for another key, or not valid by the clock.
        """
        ...

    def read(self, kind: ObjectKind, slot: int) -> bytes:
        """Return an object of the slot as stored (DER; for a chain, concatenated DER)."""
        ...

    def add_root(self, certificate: bytes) -> None:
        """Add a certificate (DER) to the trust store; one that is there already is no error.

        It is a root, or an intermediate that a server does not send.
        """
        ...

    def read_root(self, sha256: str) -> bytes:
        """Return the certificate (DER) of the trust store that has this digest (``info().roots``).

        Raises:
            PhoneRefused: There is none, or the phone gives none away.
        """
        ...

    def prove(self, slot: int, nonce: bytes) -> bytes:
        """Return the signature of the active key over ``POSSESSION_PREFIX + nonce``.

        RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 8.2).
        """
        ...

    def sign(self, slot: int, block: bytes) -> bytes:
        """Sign for a TLS handshake with the active key: PKCS#1 v1.5 type 1 padding of ``block``.

        ``block`` is the 36 bytes MD5 || SHA-1 (RFC 2246 7.4.8) or a SHA-256 DigestInfo (51 bytes,
        RFC 8017 9.2); anything else is refused by the phone.
        """
        ...

    def set_clock(self, now: datetime) -> None:
        """Set the phone's UTC clock."""
        ...

    def erase(self, slot: int) -> None:
        """Destroy everything in the slot, keys and settings included."""
        ...

    def identify(self, *, on: bool) -> None:
        """Light, or put out, the lamp by which the phone is found on a bench."""
        ...

    def close(self) -> None:
        """Give the phone back; may be called twice."""
        ...


class Driver(Protocol):
    """What a family registers under the entry-point group ``usbprov.drivers``."""

    @property
    def family(self) -> str:
        """The family's short name: ``smp``."""
        ...

    @property
    def summary(self) -> str:
        """One line for ``usbprov drivers``."""
        ...

    @property
    def matches(self) -> Sequence[UsbMatch]:
        """By what it recognises its phones; nothing is sent to a device to find out."""
        ...

    @property
    def detects_only(self) -> bool:
        """True of a family of which no way is known to give it anything; ``open`` then refuses."""
        ...

    def open(self, device: AttachedDevice, link: LinkKind | None = None) -> Phone:
        """Open the phone, over the kind of cable that is asked for, or over the best there is.

        Raises:
            NoPublicProtocol: The driver detects only.
            NoSuchLink: The phone has no such cable, or this bus does not offer it.
            UsbError: As ``AttachedDevice.open_bulk`` and ``open_serial``.
        """
        ...
