"""The hardware of an emulated phone: what it is and can do, apart from its memory."""

from dataclasses import dataclass

from usbprov.pki.keys import RSA_SIZES
from usbprov_drivers.smp.messages import Caps, Sigs

_ALL = Caps(0xFF)


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
        sigs: What it verifies in a server's chain; None if it does not say.
        rsa_max: The longest RSA modulus that it verifies, in bits; None if it does not say.
    """

    serial: str
    mac: bytes
    caps: Caps = _ALL & ~Caps.IMPORT_KEY
    slots: int = 1
    buffer: int = 4096
    latency: float = 0.0
    keygen_seconds: float = 0.0
    vendor: str = "usbprov"
    name: str = "EP-100"
    firmware: str = "1.0.0"
    bits: tuple[int, ...] = RSA_SIZES
    max_object: int = 16384
    sigs: Sigs | None = None
    rsa_max: int | None = None
