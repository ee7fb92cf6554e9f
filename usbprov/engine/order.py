"""What the user asked for: one phone, one user, and how."""

from dataclasses import dataclass
from enum import StrEnum

from usbprov.net.credentials import Way
from usbprov.pki.keys import DEFAULT_RSA_BITS


class KeySource(StrEnum):
    """Who makes the key pair."""

    PHONE = "phone"
    """The phone makes it; the private key never leaves it."""
    EXISTING = "existing"
    """The key that is in the slot already is certified anew."""
    HOST = "host"
    """This computer makes it and gives it to the phone, for models that cannot."""
    VAULT = "vault"
    """The vault's pair of this user and phone; if there is none, one is made here and stored."""


@dataclass(frozen=True)
class CredentialOrder:
    """By what the user is proved to the servers. It holds no secret: the job asks for that.

    Attributes:
        ways: What may be used; of several the first that the server offers.
        name: Extension, or Windows account, with which a secret goes. None: the certificate that
            the phone has, or the Kerberos ticket of whoever uses this computer.
        because: Why these ways, in words, for the plan.
    """

    ways: tuple[Way, ...]
    name: str | None = None
    because: str = "it was asked for"


@dataclass(frozen=True)
class Order:
    """One order.

    Attributes:
        web_services_url: URL of the certificate provisioning service.
        credential: By what the user is proved.
        user: SIP URI with its scheme, or None: the ticket names the user.
        registrar: ``host[:port]`` to be written to the phone and signed in at, or None.
        key: Who makes the key, or None: the phone if it can, else the host.
        bits: RSA modulus in bits.
        slot: The phone's credential slot.
        replace: Whether what is in the slot may be replaced.
        old_tls: For which servers an older TLS is allowed, in words; usually none.
        sign_in: Whether to sign in at the Registrar in the end.
        replaces: Serial number or MAC of the phone whose pair in the vault this one gets, or None.
    """

    web_services_url: str
    credential: CredentialOrder
    user: str | None = None
    registrar: str | None = None
    key: KeySource | None = None
    bits: int = DEFAULT_RSA_BITS
    slot: int = 0
    replace: bool = False
    old_tls: tuple[str, ...] = ()
    sign_in: bool = True
    replaces: str | None = None
