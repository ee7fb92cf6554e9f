"""What a Registrar asks for: its answer to a REGISTER that proves nothing ([MS-SIPAE] 3.2.5)."""

from collections.abc import Iterable, Iterator

from usbprov.errors import RegistrarAnswerInvalid, RegistrarUnproved
from usbprov.net.failures import cleaned
from usbprov.phone.endpoint import Endpoint
from usbprov.registrar.client import Challenge
from usbprov.registrar.connection import Connection
from usbprov.registrar.message import NotSip, Response
from usbprov.registrar.parameters import Authentication, parse_authentication
from usbprov.registrar.redirects import look_for_redirect
from usbprov.registrar.refusals import Case, refusal
from usbprov.registrar.registration import Registration
from usbprov.registrar.user import SipUser

KNOWN = {name.upper(): name for name in ("TLS-DSK", "NTLM", "Kerberos")}
"""The schemes that we know, by their names in capitals."""

_OK = 200
_UNAUTHORISED = 401


def ask(connection: Connection, user: SipUser, endpoint: Endpoint) -> Challenge:
    """Ask what proof is wanted.

    Raises:
        Moved: Another Registrar is to be asked.
        RegistrarError: The user is refused at once, or signed in without any proof.
    """
    registration = Registration(user, endpoint, connection.local)
    return summary(offers(connection, registration))


def offers(connection: Connection, registration: Registration) -> tuple[Authentication, ...]:
    """Send a REGISTER that proves nothing, and return the ways to prove a user that are offered.

    There may be none, where all are switched off.

    Raises:
        Moved: Another Registrar is to be asked.
        RegistrarError: The user is refused at once, or signed in without any proof.
    """
    server = connection.server
    response = connection.exchange(registration.request())
    look_for_redirect(response, server)
    if response.status == _OK:
        reason = "it signs a user in without asking for any proof"
        raise RegistrarUnproved(server, reason, check="unsigned")
    if response.status != _UNAUTHORISED:
        raise refusal(Case(response, server, registration.user.uri))
    return tuple(demands(response, server))


def demands(response: Response, server: str) -> Iterator[Authentication]:
    """Yield what the ``WWW-Authenticate`` headers of an answer ask for.

    Raises:
        RegistrarAnswerInvalid: One of them cannot be read.
    """
    try:
        yield from map(parse_authentication, response.headers.all("WWW-Authenticate"))
    except NotSip as error:
        raise RegistrarAnswerInvalid(server, str(error)) from None


def summary(offered: tuple[Authentication, ...]) -> Challenge:
    """Tell what is offered, without the data of any handshake."""
    by_name = {offer.scheme.upper(): offer for offer in reversed(offered)}
    dsk = by_name.get("TLS-DSK")
    named = dsk or next(iter(offered), None)
    return Challenge(
        schemes=names(offered),
        target=named.get("targetname") if named else "",
        certificate_service=(dsk and dsk.get("sts-uri")) or None,
    )


def names(offered: Iterable[Authentication]) -> tuple[str, ...]:
    """Return the names of schemes, each once, fit for a terminal."""
    known = (KNOWN.get(offer.scheme.upper(), cleaned(offer.scheme)) for offer in offered)
    return tuple(dict.fromkeys(known))
