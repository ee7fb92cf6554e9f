"""One request on its way through the Registrar: the sign-in, and the answers."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from usbprov.lab.calls import note
from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.registrar.associations import Association, Associations
from usbprov.lab.registrar.exchange import Exchange, read_token
from usbprov.lab.registrar.homes import Homes, Seat
from usbprov.lab.registrar.journal import Journal
from usbprov.lab.registrar.negotiations import Claim, Scheme
from usbprov.lab.registrar.refusals import Refusal, Refused
from usbprov.lab.registrar.signatures import Signed
from usbprov.lab.registrar.signins import SignIns
from usbprov.lab.registrar.sip import Response
from usbprov.lab.registrar.values import Credentials
from usbprov.lab.times import Clock
from usbprov.lab.users import LabUser

REALM = "SIP Communications Service"
VERSION = 4
"""Of the protocol of security associations ([MS-SIPAE] 2.2)."""
LONGEST_REGISTRATION = 7200
"""Seconds, as real Registrars grant them."""
RETRY_AFTER = 1
"""Seconds, as ``registrar-busy`` says them."""

_OLDEST_VERSION = 3


@dataclass
class Peer:
    """A connection, as far as the Registrar's work goes.

    Attributes:
        seat: At which port it came in.
        associations: What it has signed in.
    """

    seat: Seat
    associations: Associations = field(default_factory=Associations)


@dataclass(frozen=True)
class Parts:
    """What a Registrar is made of.

    Attributes:
        host: Its name: ``targetname``, and the source of diagnostics.
        schemes: Returns what is offered now, in order.
        users: Who there is.
        homes: Who is served where.
        sign_ins: The list that tests and people ask.
        faults: What goes wrong.
        clock: The server's time.
    """

    host: str
    schemes: Callable[[], Sequence[Scheme]]
    users: Sequence[LabUser]
    homes: Homes
    sign_ins: SignIns
    faults: Faults
    clock: Clock

    def journal(self, seat: Seat) -> Journal:
        """Return the one who writes the list of sign-ins for a port."""
        return Journal(self.sign_ins, self.homes.addresses[seat], self.clock)


class Turn:
    """One request on its way through the Registrar."""

    def __init__(self, parts: Parts, peer: Peer, exchange: Exchange) -> None:
        self.peer = peer
        self.exchange = exchange
        self._parts = parts
        self._claim: Claim | None = None
        self._association: Association | None = None
        self._journal = parts.journal(peer.seat)

    @property
    def claim(self) -> Claim:
        """Who is signed in, with the device of this request."""
        if self._claim is None:
            raise Refused(Refusal.HANDSHAKE, "nobody is signed in")
        return self._claim

    def sign_in(self, claim: Claim | None) -> Response | None:
        """Take the sign-in a step further; None when the request is signed by who he says he is.

        Args:
            claim: Of a REGISTER; others do not begin a sign-in.

        Raises:
            Refused: The sign-in has failed.
        """
        self._claim = claim
        scheme, credentials = self._offered()
        if scheme is None or credentials is None:
            return self._challenge()
        token = read_token(credentials)
        association = self._find(scheme, credentials, token, claim)
        if association is None:
            return self._challenge()
        self._association = association
        if association.claim is None:
            answer = self._step(association, token or b"", claim)
            if not association.negotiation.complete or not credentials.param("response"):
                return self._go_on(association, answer)
            association.token = answer
        self._check(association, credentials)
        return None

    def signed(
        self, status: int, reason: str, *headers: tuple[str, str], expires: str = ""
    ) -> Response:
        """Make an answer that is signed, where there is a key to sign with."""
        more = [*headers, *([("Expires", expires)] if expires else [])]
        association = self._association
        unsigned = status == 200 and self._parts.faults.take(FaultName.UNSIGNED_200)
        if association is None or association.claim is None or unsigned:
            return self._answer(status, reason, *more)
        info = association.authentication_info(self.exchange, status, expires, self._parts.faults)
        if association.token:
            info += f', gssapi-data="{base64.b64encode(association.token).decode()}"'
            association.token = b""
        return self._answer(status, reason, ("Authentication-Info", info), *more)

    def refuse(self, refused: Refused) -> Response:
        """Make the answer that refuses the request; a failed sign-in is to be begun anew."""
        refusal = refused.refusal
        note(f"refused, {refusal.number or refusal.phrase}: {refused.why or refusal.words}")
        self._give_up(refusal.status, f"{refusal.number or ''} {refused.why}".strip())
        diagnostics = refusal.diagnostics(self._parts.host)
        headers = [("ms-diagnostics", diagnostics)] if diagnostics else []
        if refusal.status == 401:
            return self._challenge(*headers)
        if refusal is Refusal.BUSY:
            headers.append(("Retry-After", str(RETRY_AFTER)))
        return self.signed(refusal.status, refusal.phrase, *headers)

    def granted(self) -> int:
        """Return for how many seconds the device is registered; 0 to end it."""
        association, asked = self._association, self.exchange.expires
        left = LONGEST_REGISTRATION
        if association is not None and association.ends is not None:
            left = int((association.ends - self._parts.clock()).total_seconds())
        most = min(LONGEST_REGISTRATION, left)
        return max(0, most if asked is None else min(asked, most))

    def tell(self, outcome: str) -> None:
        """Say on the list what has become of the sign-in."""
        if self._association is not None:
            user = self.exchange.user
            self._journal.tell(self._association, user, self._claim, outcome)

    def _give_up(self, status: int, why: str) -> None:
        """Drop an association that was refused, unless it was one of who had proved himself."""
        association = self._association
        if association is None:
            return
        ended = status == 401 or association.claim is None
        if ended:
            self.peer.associations.drop(association)
        write = self._journal.tell if ended else self._journal.refuse
        write(association, self.exchange.user, self._claim, f"refused {status} {why}".strip())

    def _offered(self) -> tuple[Scheme | None, Credentials | None]:
        """Return the scheme that the client has chosen, if it is offered here and by this name."""
        for credentials in self.exchange.credentials:
            named = credentials.param("realm"), credentials.param("targetname").lower()
            for scheme in self._parts.schemes():
                own = REALM, scheme.target(self._parts.host).lower()
                if credentials.scheme == scheme.name and named == own:
                    return scheme, credentials
        return None, None

    def _find(
        self, scheme: Scheme, credentials: Credentials, token: bytes | None, claim: Claim | None
    ) -> Association | None:
        """Return the association that the request names, or a new one for a first token."""
        if credentials.param("opaque"):
            found = self.peer.associations.find(credentials)
            return found if found and self._is_usable(found) else None
        if token is None or claim is None:
            return None
        version = credentials.param("version")
        signed = Signed(
            scheme.name,
            credentials.param("realm"),
            credentials.param("targetname"),
            int(version) if version in {str(_OLDEST_VERSION), str(VERSION)} else VERSION,
        )
        return self.peer.associations.begin(self.exchange.call_id, signed, scheme.begin())

    def _is_usable(self, association: Association) -> bool:
        if association.ends is None:
            return association.call_id == self.exchange.call_id
        if self._parts.clock() < association.ends:
            return True
        self.peer.associations.drop(association)
        return False

    def _step(self, association: Association, token: bytes, claim: Claim | None) -> bytes:
        """Hand the token on; when that was the last one, see who it is."""
        if claim is None:
            raise Refused(Refusal.HANDSHAKE, "no REGISTER")
        answer = association.negotiation.step(token)
        if association.negotiation.complete:
            association.prove(claim, self._parts.clock())
        return answer

    def _check(self, association: Association, credentials: Credentials) -> None:
        association.check(self.exchange, credentials)
        proved = association.claim
        if self._claim and proved and self._claim.device.instance != proved.device.instance:
            raise Refused(Refusal.OTHER_USER, "the association is another device's")

    def _challenge(self, *headers: tuple[str, str]) -> Response:
        """Ask for a sign-in by one of the schemes that are offered."""
        offers = [("WWW-Authenticate", self._offer(scheme)) for scheme in self._parts.schemes()]
        return self._answer(401, "Unauthorized", *offers, *headers)

    def _offer(self, scheme: Scheme) -> str:
        target = scheme.target(self._parts.host)
        value = f'{scheme.name} realm="{REALM}", targetname="{target}", version={VERSION}'
        return ", ".join(filter(None, (value, scheme.offer())))

    def _go_on(self, association: Association, token: bytes) -> Response:
        """Send the server's next token."""
        signed = association.signed
        value = (
            f'{signed.scheme} opaque="{association.opaque}", '
            f'gssapi-data="{base64.b64encode(token).decode()}", '
            f'targetname="{signed.target}", realm="{signed.realm}", version={signed.version}'
        )
        return self._answer(401, "Unauthorized", ("WWW-Authenticate", value))

    def _answer(self, status: int, reason: str, *headers: tuple[str, str]) -> Response:
        return self.exchange.answer(status, reason, self._parts.clock(), *headers)
