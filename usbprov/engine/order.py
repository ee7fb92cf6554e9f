"""What the user asked for: one phone, one user, and how."""

from dataclasses import dataclass
from enum import StrEnum

from usbprov.pki.keys import DEFAULT_RSA_BITS


class KeySource(StrEnum):
    """Who makes the key pair."""

    PHONE = "phone"
    """The phone makes it; the private key never leaves it."""
    EXISTING = "existing"
    """The key that is in the slot already is certified anew."""
    HOST = "host"
    """This computer makes it and gives it to the phone, for models that cannot."""


@dataclass(frozen=True)
class Order:
    """One order.

    Attributes:
        web_services_url: URL of the certificate provisioning service.
        extension: Extension or phone number for sign-in by PIN.
        user: SIP URI with its scheme, or None: the ticket names the user.
        registrar: ``host[:port]`` to be written to the phone, or None.
        key: Who makes the key, or None: the phone if it can, else the host.
        bits: RSA modulus in bits.
        slot: The phone's credential slot.
        replace: Whether what is in the slot may be replaced.
    """

    web_services_url: str
    extension: str
    user: str | None = None
    registrar: str | None = None
    key: KeySource | None = None
    bits: int = DEFAULT_RSA_BITS
    slot: int = 0
    replace: bool = False
