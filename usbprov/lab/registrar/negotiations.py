"""What every scheme of sign-in does: a handshake, a proof of who it is, then signatures."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from usbprov.lab.registrar.endpoints import Device
from usbprov.lab.users import LabUser


@dataclass(frozen=True)
class Claim:
    """As whom a client wants to sign in.

    Attributes:
        sip_uri: The user of ``From``, lower case.
        user: The same, if there is such a user.
        device: His device.
    """

    sip_uri: str
    user: LabUser | None
    device: Device


class Negotiation(Protocol):
    """One sign-in by one scheme, from its first token on."""

    @property
    def complete(self) -> bool:
        """Whether nothing more is to come from the client, and messages can be signed."""

    @property
    def details(self) -> tuple[str, str]:
        """Version and cipher suite of the inner TLS; two empty strings for other schemes."""

    def step(self, token: bytes) -> bytes:
        """Take a token and return the one that answers it, b"" if there is none.

        Raises:
            Refused: It is wrong.
        """

    def prove(self, claim: Claim, now: datetime) -> datetime | None:
        """See that who has signed in is whom he claims to be.

        Returns:
            Until when at most that counts; None where the scheme sets no end.

        Raises:
            Refused: He is not.
        """

    def sign(self, text: str, *, wrongly: bool = False) -> str:
        """Sign the string of a message of the server, in hex; ``wrongly``: as a fault wants it."""

    def verify(self, text: str, told: str) -> bool:
        """Say whether a signature (hex) of the string of a message of the client is right."""


class Scheme(Protocol):
    """A scheme that the Registrar can offer."""

    @property
    def name(self) -> str:
        """As in ``WWW-Authenticate``."""

    def target(self, host: str) -> str:
        """Return its ``targetname`` at the server of that name."""

    def offer(self) -> str:
        """Return what its challenge has besides realm, target and version."""

    def begin(self) -> Negotiation:
        """Begin a sign-in."""
