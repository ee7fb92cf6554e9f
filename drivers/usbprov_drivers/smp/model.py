"""The hardware of an emulated phone: what it is and can do, apart from its memory."""

from dataclasses import dataclass
from enum import Enum

from usbprov.pki.keys import RSA_SIZES
from usbprov_drivers.smp.messages import Caps, Sigs
from usbprov_drivers.smp.wire import LINE_OVERHEAD

_ALL = Caps(0xFF)


class Cable(Enum):
    """The cables that a phone may have (PROTOCOL.md 6)."""

    BULK = "bulk"
    SERIAL = "serial"


@dataclass(frozen=True)
class Model:
    """One emulated phone.

    Attributes:
        serial: Serial number.
        mac: Six bytes.
        caps: Capabilities.
        slots: Number of credential slots.
        buffer: SMP buffer in bytes.
        latency: Seconds that it waits before each answer.
        keygen_seconds: Least time for a key, in seconds.
        commit_seconds: Seconds that it waits before it carries out a COMMIT, besides ``latency``.
        sigs: What it verifies in a server's chain; None if it does not say.
        rsa_max: The longest RSA modulus that it verifies, in bits; None if it does not say.
        cables: What it can be spoken to over.
        cobs: Whether it takes COBS frames on its serial line.
        chatty: Whether it writes log text on its serial line, also in the middle of a response.
        restarts: Whether it restarts after a new certificate is in force.
    """

    serial: str
    mac: bytes
    caps: Caps = _ALL & ~Caps.IMPORT_KEY
    slots: int = 1
    buffer: int = 4096
    latency: float = 0.0
    keygen_seconds: float = 0.0
    commit_seconds: float = 0.0
    vendor: str = "usbprov"
    name: str = "EP-100"
    firmware: str = "1.0.0"
    bits: tuple[int, ...] = RSA_SIZES
    max_object: int = 16384
    sigs: Sigs | None = None
    rsa_max: int | None = None
    cables: frozenset[Cable] = frozenset(Cable)
    cobs: bool = True
    chatty: bool = False
    restarts: bool = False

    @property
    def room(self) -> int:
        """The largest message that fits into its buffer on either cable, in bytes."""
        return self.buffer - LINE_OVERHEAD
