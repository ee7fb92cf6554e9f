"""A whole sign-in at one Registrar: asked, proved, registered, ended."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from usbprov.net.credentials import CertificateCredential, WindowsCredential
from usbprov.phone.endpoint import Endpoint
from usbprov.registrar.challenges import offers
from usbprov.registrar.client import SignIn
from usbprov.registrar.connection import Connection
from usbprov.registrar.dialogue import Dialogue
from usbprov.registrar.message import NotSip, Response
from usbprov.registrar.parameters import parse_address
from usbprov.registrar.registration import Registration
from usbprov.registrar.schemes import choose
from usbprov.registrar.user import SipUser

_MOST_DIGITS = 9


@dataclass(frozen=True)
class Before:
    """What was before a connection.

    Attributes:
        begin: When all of it began, by ``time.monotonic``.
        redirects: The servers that sent us here.
    """

    begin: float
    redirects: tuple[str, ...] = ()


def sign_in(
    connection: Connection,
    user: SipUser,
    credential: CertificateCredential | WindowsCredential,
    endpoint: Endpoint,
    before: Before,
) -> SignIn:
    """Sign a user in over a connection, and out again.

    Args:
        connection: To the Registrar.
        user: Who.
        credential: What proves the user.
        endpoint: For which device.
        before: What was before this connection.

    Raises:
        Moved: Another Registrar is the user's.
        RegistrarError: The Registrar refuses, fails, or does not prove who it is.
        UsbprovError: The signer fails, or the credential cannot be used.
    """
    registration = Registration(user, endpoint, connection.local)
    with ExitStack() as stack:
        offered = offers(connection, registration)
        chosen = choose(credential, offered, connection, stack)
        association = chosen.association
        dialogue = Dialogue(connection, registration, association, chosen.offer)
        expires = lifetime(dialogue.establish())
        return SignIn(
            server=connection.server,
            scheme=association.scheme,
            protocol=association.protocol,
            cipher=association.cipher,
            redirects=before.redirects,
            expires=expires,
            signed_out=dialogue.end(),
            ms=round((time.monotonic() - before.begin) * 1000),
        )


def lifetime(response: Response) -> int:
    """Return for how many seconds a registration is good, as a 200 says; 0 if it does not."""
    values = (response.headers.get("Expires"), *_of_contacts(response))
    return next((int(v) for v in values if v.isdecimal() and len(v) <= _MOST_DIGITS), 0)


def _of_contacts(response: Response) -> Iterator[str]:
    """Yield what ``expires`` says in each Contact that can be read; none of them is signed."""
    for contact in response.headers.all("Contact"):
        with suppress(NotSip):
            yield parse_address(contact).parameters.get("expires", "")
