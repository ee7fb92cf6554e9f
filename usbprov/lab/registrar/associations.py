"""Security associations: what a sign-in leaves, for the messages that follow ([MS-SIPAE] 3.3.1)."""

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.registrar.exchange import Exchange
from usbprov.lab.registrar.negotiations import Claim, Negotiation
from usbprov.lab.registrar.refusals import Refusal, Refused
from usbprov.lab.registrar.signatures import Signed
from usbprov.lab.registrar.values import Credentials

LONGEST = timedelta(hours=8)
"""How long an association lives at most ([MS-SIPAE] 3.2.2)."""

_MOST = 16
_RANDOM = re.compile(r"[0-9a-fA-F]{8}")
_LARGEST_NUMBER = 1 << 32


@dataclass
class Association:
    """One sign-in over one connection, from its first token to its end.

    Attributes:
        opaque: Its name, which the client repeats.
        call_id: Of the REGISTERs that make the handshake.
        signed: What goes into the signed strings.
        negotiation: The scheme's part.
        claim: Whose it is; None until he is proved.
        ends: When it ends; None until he is proved.
        token: What is still to be sent to the client with the first signed answer.
        record: Its row in the list of sign-ins, or None.
        signed_in: Whether a device is registered by it.
    """

    opaque: str
    call_id: str
    signed: Signed
    negotiation: Negotiation
    claim: Claim | None = None
    ends: datetime | None = None
    token: bytes = b""
    record: int | None = None
    signed_in: bool = False
    _received: int = field(default=0, repr=False)
    _sent: int = field(default=0, repr=False)

    def prove(self, claim: Claim, now: datetime) -> None:
        """See that the user is whom he claims to be; from then on messages are signed.

        Raises:
            Refused: He is not.
        """
        end = self.negotiation.prove(claim, now)
        self.ends = min(end or now + LONGEST, now + LONGEST)
        self.claim = claim

    def check(self, exchange: Exchange, credentials: Credentials) -> None:
        """Verify a client's signature, and that it is of no message that was here before.

        Raises:
            Refused: The signature is not right, or its number not higher than the last one.
        """
        if self.claim is None or exchange.user != self.claim.sip_uri:
            raise Refused(Refusal.OTHER_USER, "the association is another user's")
        number = _counter(credentials)
        text = self.signed.of_request(exchange.request, credentials)
        if not self.negotiation.verify(text, credentials.param("response")):
            raise Refused(Refusal.HANDSHAKE, "the client's signature is wrong")
        if number <= self._received:
            raise Refused(Refusal.HANDSHAKE, f"cnum {number} after {self._received}")
        self._received = number

    def authentication_info(
        self, exchange: Exchange, status: int, expires: str, faults: Faults
    ) -> str:
        """Sign an answer and return the value of its ``Authentication-Info``."""
        self._sent += 1
        nonce = (secrets.token_hex(4).upper(), self._sent)
        text = self.signed.of_response(nonce, exchange.request, exchange.to, expires, status)
        wrongly = faults.take(FaultName.REGISTRAR_WRONG_KEY)
        return (
            f'{self.signed.scheme} qop="auth", opaque="{self.opaque}", srand="{nonce[0]}", '
            f'snum="{nonce[1]}", rspauth="{self.negotiation.sign(text, wrongly=wrongly)}", '
            f'targetname="{self.signed.target}", realm="{self.signed.realm}", '
            f"version={self.signed.version}"
        )


def _counter(credentials: Credentials) -> int:
    number = credentials.param("cnum")
    good = number.isascii() and number.isdigit() and len(number) <= 10
    if not good or not 0 < int(number) < _LARGEST_NUMBER:
        raise Refused(Refusal.HANDSHAKE, "no cnum")
    if not _RANDOM.fullmatch(credentials.param("crand")):
        raise Refused(Refusal.HANDSHAKE, "no crand")
    return int(number)


class Associations:
    """Those of one connection; the oldest makes room where there are too many."""

    def __init__(self) -> None:
        self._by_opaque: dict[str, Association] = {}

    def begin(self, call_id: str, signed: Signed, negotiation: Negotiation) -> Association:
        """Begin one; of the same Call-ID one that did not come to its end is given up."""
        for other in [*self._by_opaque.values()]:
            if other.claim is None and other.call_id == call_id:
                self.drop(other)
        if len(self._by_opaque) >= _MOST:
            self.drop(next(iter(self._by_opaque.values())))
        made = Association(secrets.token_hex(4).upper(), call_id, signed, negotiation)
        self._by_opaque[made.opaque] = made
        return made

    def find(self, credentials: Credentials) -> Association | None:
        """Return the one that the client names, if it is of that scheme."""
        found = self._by_opaque.get(credentials.param("opaque"))
        return found if found and found.signed.scheme == credentials.scheme else None

    def drop(self, association: Association) -> None:
        """Forget one."""
        self._by_opaque.pop(association.opaque, None)

    def all(self) -> list[Association]:
        """Return those that there are."""
        return [*self._by_opaque.values()]
