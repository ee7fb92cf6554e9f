"""A sign-in, message by message: the handshake, the signed REGISTER, the end of it.

``protocol.md`` 7.1 and 13 have the order, [MS-SIPAE] 3.2.5 the rules. Whatever the server signs is
verified, and its 200 must be signed.
"""

import logging
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping

from usbprov.errors import (
    HandshakeNotAgreed,
    RegistrarAnswerInvalid,
    RegistrarError,
    RegistrarUnproved,
)
from usbprov.net.failures import cleaned
from usbprov.registrar.association import Association
from usbprov.registrar.challenges import demands
from usbprov.registrar.connection import Connection
from usbprov.registrar.message import NotSip, Request, Response
from usbprov.registrar.parameters import (
    Authentication,
    parse_authentication,
    write_authentication,
)
from usbprov.registrar.redirects import look_for_redirect
from usbprov.registrar.refusals import Case, diagnostic, refusal
from usbprov.registrar.registration import Registration
from usbprov.registrar.signature import Frame, signed_text

logger = logging.getLogger(__name__)

NEWEST_VERSION = 4
"""The newest version of the protocol; from it on the REGISTER that ends a handshake is signed."""

_OLDEST_VERSION = 2
_MOST_FLIGHTS = 8
_OK = 200
_UNAUTHORISED = 401
_SIGNED = ("Authentication-Info", "Proxy-Authentication-Info")
_COUNTER_DIGITS = 10


class Dialogue:
    """The exchange of one sign-in, over one connection."""

    def __init__(
        self,
        connection: Connection,
        registration: Registration,
        association: Association,
        offer: Authentication,
    ) -> None:
        """Prepare.

        Args:
            connection: To the Registrar.
            registration: Makes the requests.
            association: Proves the user, and signs.
            offer: What the Registrar has asked for.
        """
        self._connection = connection
        self._registration = registration
        self._association = association
        self._realm = offer.get("realm")
        self._target = offer.get("targetname")
        self._version = _version(offer, connection.server)
        self._opaque = offer.get("opaque")
        self._sent = 0
        self._received = 0

    @property
    def _server(self) -> str:
        return self._connection.server

    def establish(self) -> Response:
        """Prove the user and register; return the Registrar's signed 200.

        Raises:
            Moved: Another Registrar is the user's.
            RegistrarError: It refuses, fails, or does not prove who it is.
        """
        token: bytes | None = self._association.begin()
        for _ in range(_MOST_FLIGHTS):
            final = self._association.ready
            response = self._exchange(token, first=True)
            look_for_redirect(response, self._server)
            if final:
                return self._accepted(response)
            token = self._association.step(self._token(response))
        raise RegistrarAnswerInvalid(self._server, "its handshake has no end")

    def end(self) -> bool:
        """End the registration; say whether the Registrar has confirmed it, signed."""
        try:
            return self._accepted(self._exchange(None, expires=0)).status == _OK
        except RegistrarError as error:
            logger.debug("the registration was not ended: %s", error)
            return False

    def _exchange(
        self, token: bytes | None, *, first: bool = False, expires: int | None = None
    ) -> Response:
        """Send the next REGISTER, and verify the answer's signature if it has one."""
        bare = self._registration.request(expires)
        proof = write_authentication(self._association.scheme, self._proof(bare, token, first))
        headers = bare.headers.with_field("Authorization", proof)
        response = self._connection.exchange(Request(bare.method, bare.uri, headers))
        if self._association.ready:
            self._verify(response)
        return response

    def _proof(self, request: Request, token: bytes | None, first: bool) -> Mapping[str, str]:
        """Return the parameters of ``Authorization``, in the order of the known clients."""
        parameters = {
            "qop": "auth",
            "opaque": self._opaque,
            "realm": self._realm,
            "targetname": self._target,
        }
        if not self._opaque:
            del parameters["opaque"]
        if token is not None:
            parameters["gssapi-data"] = b64encode(token).decode("ascii")
        if first and self._version > _OLDEST_VERSION:
            parameters["version"] = str(self._version)
        if self._signs(first):
            parameters |= self._signature(request)
        return parameters

    def _signs(self, first: bool) -> bool:
        return self._association.ready and (not first or self._version >= NEWEST_VERSION)

    def _signature(self, request: Request) -> Mapping[str, str]:
        self._sent += 1
        salt, number = secrets.token_hex(4), str(self._sent)
        text = signed_text(request, self._frame(salt, number))
        return {"crand": salt, "cnum": number, "response": self._association.sign(text)}

    def _frame(self, salt: str, number: str) -> Frame:
        scheme = self._association.scheme
        return Frame(scheme, self._realm, self._target, self._version, salt, number)

    def _token(self, response: Response) -> bytes:
        """Take the next data of the handshake out of a 401."""
        if response.status == _OK:
            reason = "it signs the user in before the handshake is at its end"
            raise RegistrarUnproved(self._server, reason, check="unsigned")
        scheme = self._association.scheme.upper()
        found = demands(response, self._server) if response.status == _UNAUTHORISED else ()
        for demand in found:
            if demand.scheme.upper() == scheme and demand.get("gssapi-data"):
                return self._continued(demand)
        raise self._refused(response)

    def _continued(self, demand: Authentication) -> bytes:
        if (demand.get("realm"), demand.get("targetname")) != (self._realm, self._target):
            problem = "it goes by another name in the middle of the handshake"
            raise RegistrarAnswerInvalid(self._server, problem)
        self._opaque = demand.get("opaque") or self._opaque
        try:
            return b64decode(demand.get("gssapi-data"), validate=True)
        except ValueError:
            raise RegistrarAnswerInvalid(self._server, "its gssapi-data is no base64") from None

    def _accepted(self, response: Response) -> Response:
        """Return a 200, which must be signed.

        Raises:
            RegistrarUnproved: It is not.
            RegistrarError: It is no 200.
        """
        if response.status != _OK:
            raise self._refused(response)
        if self._information(response) is None:
            raise RegistrarUnproved(self._server, "its 200 is not signed", check="unsigned")
        return response

    def _refused(self, response: Response) -> RegistrarError:
        said = diagnostic(response)
        if response.status == _UNAUTHORISED and said is None and not self._association.committed:
            words = f"it answers its first message with {cleaned(response.reason)!r}"
            return HandshakeNotAgreed(self._server, words)
        user, scheme = self._registration.user.uri, self._association.scheme
        return refusal(Case(response, self._server, user, scheme))

    # --- the server's signature

    def _verify(self, response: Response) -> None:
        """Verify the signature of an answer, if there is one, and its counter.

        Raises:
            RegistrarUnproved: It is wrong, or was used before.
            RegistrarAnswerInvalid: It cannot be read.
        """
        info = self._information(response)
        if info is None:
            return
        number = self._counter(info)
        try:
            text = signed_text(response, self._frame(info.get("srand"), info.get("snum")))
        except NotSip as error:
            raise RegistrarAnswerInvalid(self._server, str(error)) from None
        if not self._association.verify(text, info.get("rspauth")):
            reason = f"its signature of the {response.status} is wrong"
            raise RegistrarUnproved(self._server, reason, check="signature")
        self._received = number
        self._opaque = info.get("opaque") or self._opaque

    def _information(self, response: Response) -> Authentication | None:
        """Return the one header that has the server's signature, or None."""
        values = [value for name in _SIGNED for value in response.headers.all(name)]
        try:
            found = [info for info in map(parse_authentication, values) if info.get("rspauth")]
        except NotSip as error:
            raise RegistrarAnswerInvalid(self._server, str(error)) from None
        if len(found) > 1:
            raise RegistrarAnswerInvalid(self._server, "its answer has two signatures")
        return next(iter(found), None)

    def _counter(self, info: Authentication) -> int:
        """Return the number of a signature: it grows, so that no answer can be used again."""
        text = info.get("snum")
        if not (text.isascii() and text.isdigit() and len(text) <= _COUNTER_DIGITS):
            raise RegistrarAnswerInvalid(self._server, "its signature has no number")
        if int(text) <= self._received:
            reason = "its signature was used before"
            raise RegistrarUnproved(self._server, reason, check="signature")
        return int(text)


def _version(offer: Authentication, server: str) -> int:
    """Return the version of the protocol to use: the server's, but none that we do not know."""
    text = offer.get("version") or str(_OLDEST_VERSION)
    if not (text.isascii() and text.isdigit() and len(text) <= _COUNTER_DIGITS):
        raise RegistrarAnswerInvalid(server, "its version of the protocol is no number")
    return min(int(text), NEWEST_VERSION)
