"""TLS-DSK: sign-in by the user's certificate ([MS-SIPAE] 3.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from usbprov.lab.calls import note
from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.registrar.handshake import DskHandshake, HandshakeFailed, Presented
from usbprov.lab.registrar.negotiations import Claim
from usbprov.lab.registrar.published import check_published
from usbprov.lab.registrar.refusals import Refusal, Refused
from usbprov.lab.store import PoolStores

TLS_DSK = "TLS-DSK"


@dataclass(frozen=True)
class TlsDsk:
    """The scheme.

    Attributes:
        present: Returns what the server proves itself with now.
        versions: Which versions of the inner TLS are taken, as the policy ``dsk_tls`` names them.
        sts_uri: Where a client gets a certificate.
        stores: Where certificates are looked up.
        faults: What goes wrong.
    """

    present: Callable[[], Presented]
    versions: str
    sts_uri: str
    stores: PoolStores
    faults: Faults

    @property
    def name(self) -> str:
        """As in ``WWW-Authenticate``."""
        return TLS_DSK

    def target(self, host: str) -> str:
        """Return the server's name."""
        return host

    def offer(self) -> str:
        """Return the address of the certificate service."""
        return f'sts-uri="{self.sts_uri}"'

    def begin(self) -> "DskSignIn":
        """Wait for a ClientHello."""
        lying = self.faults.take(FaultName.WRONG_FINISHED)
        handshake = DskHandshake(self.present(), self.versions, lying=lying)
        return DskSignIn(handshake, self.stores, self.faults)


class DskSignIn:
    """One sign-in."""

    def __init__(self, handshake: DskHandshake, stores: PoolStores, faults: Faults) -> None:
        self._handshake = handshake
        self._stores = stores
        self._faults = faults

    @property
    def complete(self) -> bool:
        """Whether the client's Finished has been verified."""
        return self._handshake.complete

    @property
    def details(self) -> tuple[str, str]:
        """Version and cipher suite."""
        return self._handshake.protocol, self._handshake.cipher

    def step(self, token: bytes) -> bytes:
        """Take a flight and return the server's.

        Raises:
            Refused: It is wrong.
        """
        try:
            return self._handshake.step(token)
        except HandshakeFailed as failed:
            raise Refused(Refusal.HANDSHAKE, f"handshake: {failed}") from None

    def prove(self, claim: Claim, now: datetime) -> datetime:
        """Look the certificate up, and return its end.

        Raises:
            Refused: It is not published for the user and the device, or not valid now.
        """
        if self._faults.take(FaultName.CERTIFICATE_NOT_FOUND):
            raise Refused(Refusal.HANDSHAKE, f"fault {FaultName.CERTIFICATE_NOT_FOUND.value}")
        certificate = self._handshake.certificate
        check_published(self._stores, claim.user, claim.device, certificate, now)
        note(f"certificate of {claim.sip_uri} on {claim.device.instance} found")
        return certificate.not_valid_after_utc

    def sign(self, text: str, *, wrongly: bool = False) -> str:
        """Sign with the server's key; wrongly: with nobody's."""
        return self._handshake.sign_wrongly(text) if wrongly else self._handshake.sign(text)

    def verify(self, text: str, told: str) -> bool:
        """Compare with the client's key."""
        return self._handshake.verify(text, told)
