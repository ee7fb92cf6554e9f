"""What a check of servers was told, and what its steps have found out so far."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from usbprov.engine.checks.network import Network
from usbprov.engine.order import CredentialOrder
from usbprov.phone.endpoint import Endpoint

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

    from usbprov.net.credentials import CertificateCredential, Credential, Way
    from usbprov.registrar.client import SignIn
    from usbprov.webservices.ticket import Ticket
    from usbprov.webservices.trust.servers import Server, ServerAddress

TEST_ENDPOINT = Endpoint(hashlib.sha256(b"usbprov check").hexdigest()[:10])
"""The device that checks are made as: one for all users and computers, and no phone's.

That is a choice. The servers keep one certificate for a user and a device, so a check replaces
none but the one of the check before it. Test-CsClientAuth has such a fixed name, too: ``STEpid``.
"""


@dataclass
class Inquiry:
    """The facts of one check. The steps fill it in, in their order.

    Attributes:
        network: Reaches the servers.
        web_services_url: URL of the certificate service, where it was given.
        given_registrar: The Registrar, where it was given: ``host[:port]``.
        chain_url: Where the chain download is, where it was given.
        proof: By what the user is to be proved.
        secret: Gives the PIN or password; asked once.
        endpoint: The device for which certificate and sign-in are.
        user: SIP URI; the ticket names it where it was not given.
        url: URL of the certificate service.
        vouched: Whether a secret may be sent there.
        web_address: Host and port of that URL.
        registrar_address: Where the Registrar is.
        web_server: The Web Services, once this computer has verified them.
        registrar: The Registrar, likewise.
        presented: Everything that was presented over TLS, verified or not.
        way: How the user is proved: the first way that the server offers.
        account: What proves the user.
        key: A key in memory, which lives as long as the check.
        request: PKCS#10 (DER) for that key.
        certificate: What the service issued, DER.
        identity: The certificate with what signs for it, once it was found fit.
        sign_in: The sign-in that succeeded.
    """

    network: Network
    web_services_url: str | None = None
    given_registrar: str | None = None
    chain_url: str | None = None
    proof: CredentialOrder | None = None
    secret: Callable[[], str] = field(default=lambda: "", repr=False)
    endpoint: Endpoint = TEST_ENDPOINT
    user: str | None = None
    url: str | None = None
    vouched: bool = False
    web_address: "ServerAddress | None" = None
    registrar_address: "ServerAddress | None" = None
    web_server: "Server | None" = None
    registrar: "Server | None" = None
    presented: "list[Server]" = field(default_factory=list)
    way: "Way | None" = None
    account: "Credential | None" = field(default=None, repr=False)
    ticket: "Ticket | None" = field(default=None, repr=False)
    key: "rsa.RSAPrivateKey | None" = field(default=None, repr=False)
    request: bytes | None = None
    certificate: "x509.Certificate | None" = None
    identity: "CertificateCredential | None" = field(default=None, repr=False)
    sign_in: "SignIn | None" = None


FACTS: Mapping[str, str] = {
    "user": "user: give --user",
    "url": "address of the Web Services",
    "web_address": "address of the Web Services",
    "registrar_address": "address of the Registrar",
    "web_server": "verified connection to the Web Services",
    "registrar": "verified connection to the Registrar",
    "way": "way to prove the user that is offered",
    "ticket": "Web ticket",
    "request": "request",
    "certificate": "certificate",
    "identity": "usable certificate with its key",
    "sign_in": "sign-in",
}
"""What a fact is called where a step lacks it: ``there is no …``."""
