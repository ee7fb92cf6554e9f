"""What a Registrar asks for: its answer to a REGISTER that proves nothing ([MS-SIPAE] 3.2.5)."""

from collections.abc import Iterator

from usbprov.errors import RegistrarAnswerInvalid, RegistrarUnproved
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
        RegistrarError: The user is refused at once, or nothing is asked for.
    """
    registration = Registration(user, endpoint, connection.local)
    return summary(offers(connection, registration))


def offers(connection: Connection, registration: Registration) -> tuple[Authentication, ...]:
    """Send a REGISTER that proves nothing, and return the ways to prove a user that are offered.

    Raises:
        Moved: Another Registrar is to be asked.
        RegistrarError: The user is refused at once, or nothing is asked for.
    """
    server = connection.server
    response = connection.exchange(registration.request())
    look_for_redirect(response, server)
    if response.status == _OK:
        reason = "it signs a user in without asking for any proof"
        raise RegistrarUnproved(server, reason, check="unsigned")
    if response.status != _UNAUTHORISED:
        raise refusal(Case(response, server, registration.user.uri))
    found = tuple(demands(response, server))
    if not found:
        raise RegistrarAnswerInvalid(server, "it asks for a proof and names no way to give one")
    return found


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
    schemes = dict.fromkeys(KNOWN.get(o.scheme.upper(), o.scheme) for o in offered)
    service = (dsk and dsk.get("sts-uri")) or None
    return Challenge(tuple(schemes), (dsk or offered[0]).get("targetname"), service)
