"""A job under way: the order, the phone, and what is known so far."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

from usbprov.engine.order import KeySource, Order
from usbprov.engine.retry import Repeats, RetryPolicy, once
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobRecord
from usbprov.phone.contract import Phone, PhoneInfo, Progress, SlotState
from usbprov.phone.endpoint import Endpoint, endpoint_of
from usbprov.phone.holding import HeldPhone

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from usbprov.engine.host_key import HostKey
    from usbprov.engine.sealing import SealingKeys
    from usbprov.net.credentials import CertificateCredential, Credential, Way
    from usbprov.pki.vault.vault import Vault
    from usbprov.registrar.client import SignIn
    from usbprov.webservices.ticket import Ticket
    from usbprov.webservices.trust.sources import Source

T = TypeVar("T")


class Services(Protocol):
    """What a job needs of the Web Services; ``usbprov.webservices.client`` fulfils it."""

    def choose(self, ways: "Sequence[Way]") -> "Way":
        """Return the first of several ways to a ticket that the server offers."""
        ...

    def kept_ticket(self, user: str) -> "Ticket | None":
        """Return a ticket for a user that was got before and can still be used, or None."""
        ...

    def ticket(self, credential: "Credential", endpoint: Endpoint, user: str | None) -> "Ticket":
        """Obtain a Web ticket; a refused credential is never tried again."""
        ...

    def publish(self, ticket: "Ticket", request: bytes, endpoint: Endpoint) -> bytes:
        """Have a request (DER) certified and published; returns the certificate (DER)."""
        ...

    def presented_chain(self) -> list[bytes]:
        """Return the certificates (DER) that the server presents over TLS, its own first."""
        ...

    def trusted_roots(self) -> list[bytes]:
        """Return the certificates (DER) that this computer takes as trust anchors."""
        ...

    def chain_download(self) -> "Source":
        """Return the server's download of its chain, as a source that is not asked yet."""
        ...


class SignsIn(Protocol):
    """What a job needs of a Registrar; ``usbprov.registrar.client`` fulfils it."""

    def sign_in(
        self, user: str, credential: "CertificateCredential", endpoint: Endpoint
    ) -> "SignIn":
        """Sign a user in with a certificate, have the Registrar prove itself, and sign out."""
        ...


def make_key(bits: int) -> "RSAPrivateKey":
    """Make an RSA key of so many bits on this computer, now."""
    from usbprov.pki.core_dumps import no_core_dumps  # noqa: PLC0415 - only when needed
    from usbprov.pki.keys import generate_rsa  # noqa: PLC0415

    no_core_dumps()
    return generate_rsa(bits)


@dataclass
class Proof:
    """What was shown of the result; None means that it was not tried."""

    read_back: bool | None = None
    possession: bool | None = None
    sign_in: bool | None = None


@dataclass
class Job:
    """One phone's way through the steps. The steps fill it in, in their order.

    Attributes:
        connect: Gives the Web Services, connecting on first use; a job that needs no server
            never calls it.
        reach: Gives the order's Registrar; called only where the order names one.
        secret: Gives the order's PIN or password, asking for it at the last moment.
        record: The job in the ledger, None until it is opened there.
        held: The hold on the phone, by which it is found again when it went, or None.
        return_seconds: How long a phone that went away is waited for.
        retries: The bounds within which what may pass is tried again.
        retry: Makes a call again within those bounds; for calls that send no credential.
        sleep: Waits so many seconds between two tries; may raise to end the job.
        make_key: Makes an RSA key of so many bits, or has one that was made ahead.
        bench: The bench that does the job, or None.
        roster: The roster that it is done for, or None.
        info: What the phone says of itself; whoever begins the job may have asked just before.
        clock_behind: How far the phone's clock was behind this computer's when it was asked, or
            None where it has none.
        key_source: The order's, or what the plan chose.
        key_sha256: Digest of the public key that is certified.
        vault: Gives the stored key pairs; called only where the key is to be of the vault.
        sealing: Gives the key that seals host-made keys in the ledger; None: the file beside it.
        resumed: Whether the job was begun in an earlier run.
        host_key: The private key that the phone is about to be given, or None.
        given_up: Why a key that an earlier run sealed cannot be opened here; "" if none is.
        kept: What the ledger has of the job, as far as that is known; see ``artifact``.
    """

    order: Order
    phone: Phone
    ledger: Ledger
    connect: Callable[[], Services]
    secret: Callable[[], str]
    reach: Callable[[], SignsIn]
    held: HeldPhone | None = None
    return_seconds: float = 0.0
    progress: Progress = lambda _percent: None
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    retry: Repeats = once
    sleep: Callable[[float], None] = time.sleep
    make_key: "Callable[[int], RSAPrivateKey]" = make_key
    bench: str | None = None
    roster: str | None = None
    vault: "Callable[[], Vault] | None" = None
    sealing: "SealingKeys | None" = None
    record: JobRecord | None = None
    resumed: bool = False
    info: PhoneInfo | None = None
    clock_behind: timedelta | None = None
    key_source: KeySource | None = None
    user: str | None = None
    ticket: "Ticket | None" = None
    host_key: "HostKey | None" = field(default=None, repr=False)
    given_up: str = ""
    key_sha256: str | None = None
    request: bytes | None = None
    certificate: bytes | None = None
    proof: Proof = field(default_factory=Proof)
    signed_in: "SignIn | None" = None
    kept: dict[ArtifactKind, bytes | None] = field(default_factory=dict, repr=False)

    def artifact(self, kind: ArtifactKind) -> bytes | None:
        """Return what the ledger keeps of the job (DER), or None; it is read once."""
        if kind not in self.kept:
            self.kept[kind] = self.ledger.artifact(known(self.record).id, kind)
        return self.kept[kind]

    def keep(self, kind: ArtifactKind, data: bytes) -> None:
        """Keep a request or certificate (DER) in the ledger."""
        self.ledger.keep(known(self.record).id, kind, data)
        self.kept[kind] = data

    @property
    def slot(self) -> SlotState:
        """The state of the order's slot, as last read."""
        return known(self.info).slots[self.order.slot]

    @property
    def nonce(self) -> bytes:
        """The 16 bytes by which the phone's key is recognised as this job's."""
        return known(self.record).nonce

    @property
    def endpoint(self) -> Endpoint:
        """The phone's identity towards the servers."""
        return endpoint_of(known(self.info).mac)

    @property
    def phone_name(self) -> str:
        """How the phone is called in messages."""
        return self.phone.facts.name


def known(value: T | None) -> T:
    """Return a fact that an earlier step has established.

    Raises:
        RuntimeError: It has not: the steps are in a wrong order, which is a bug.
    """
    if value is None:
        msg = "a step ran before the step that it needs"
        raise RuntimeError(msg)
    return value
