"""The Registrar's work: a request and its connection in, a response out; no I/O of its own."""

import base64
from collections.abc import Mapping

from usbprov.lab.faults import FaultName
from usbprov.lab.registrar.endpoints import read_device
from usbprov.lab.registrar.exchange import Exchange, read_exchange
from usbprov.lab.registrar.negotiations import Claim
from usbprov.lab.registrar.refusals import Refusal, Refused
from usbprov.lab.registrar.signins import SIGNED_IN, SIGNED_OUT
from usbprov.lab.registrar.sip import Malformed, Request, Response
from usbprov.lab.registrar.turns import Parts, Peer, Turn

_KEEP_ALIVE = "UAS; tcp=no; hop-hop=yes; end-end=no; timeout=300"
_ALLOWED = "REGISTER, OPTIONS"


class Registrar:
    """Answers requests; safe to use from any thread, one at a time a connection."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._users = {user.sip_uri: user for user in parts.users}

    def answer(self, peer: Peer, request: Request) -> Response | None:
        """Answer a request; None for one that has no answer.

        Raises:
            Malformed: It lacks what an answer needs.
        """
        if request.method == "ACK":
            return None
        exchange = read_exchange(request)
        turn = Turn(self._parts, peer, exchange)
        try:
            if self._parts.faults.take(FaultName.REGISTRAR_BUSY):
                raise Refused(Refusal.BUSY, f"fault {FaultName.REGISTRAR_BUSY.value}")
            claim = self._claim(exchange)
            return turn.sign_in(claim) or self._serve(turn)
        except Refused as refused:
            return turn.refuse(refused)
        except Malformed as malformed:
            return turn.refuse(Refused(Refusal.MALFORMED, str(malformed)))

    def close(self, peer: Peer) -> None:
        """Say that a connection is gone."""
        journal = self._parts.journal(peer.seat)
        for association in peer.associations.all():
            journal.close(association)

    def _claim(self, exchange: Exchange) -> Claim | None:
        """Return as whom a REGISTER wants to sign in; None for other methods."""
        if exchange.request.method != "REGISTER":
            return None
        receiver = exchange.receiver.uri.lower()
        if receiver != exchange.user:
            known = receiver in self._users
            raise Refused(Refusal.OTHER_USER if known else Refusal.NOT_SIP_ENABLED, "To is another")
        device = read_device(exchange.sender, exchange.contact)
        return Claim(exchange.user, self._users.get(exchange.user), device)

    def _serve(self, turn: Turn) -> Response:
        """Do what an authenticated request wants."""
        method = turn.exchange.request.method
        if method == "REGISTER":
            return self._register(turn)
        if method == "OPTIONS":
            return turn.signed(200, "OK", ("Allow", _ALLOWED))
        return turn.signed(405, "Method Not Allowed", ("Allow", _ALLOWED))

    def _register(self, turn: Turn) -> Response:
        faults = self._parts.faults
        for name, refusal in _USER_FAULTS.items():
            if faults.take(name):
                raise Refused(refusal, f"fault {name.value}")
        claim = turn.claim
        if claim.user is None:
            raise Refused(Refusal.NO_USER)
        elsewhere = self._parts.homes.redirect(claim.user, turn.peer.seat)
        if elsewhere is not None:
            turn.tell(f"sent to {elsewhere}")
            contact = f"<sip:{elsewhere};transport=tls>"
            return turn.signed(301, "Redirect request to Home Server", ("Contact", contact))
        return self._bind(turn, claim)

    def _bind(self, turn: Turn, claim: Claim) -> Response:
        """Register the device, or end its registration; nobody is ever called at it."""
        seconds, contact = turn.granted(), turn.exchange.contact
        if seconds == 0:
            turn.tell(SIGNED_OUT)
            return turn.signed(200, "OK", expires="0")
        told = [] if contact is None else [("Contact", _bound(contact.uri, claim, seconds))]
        turn.tell(SIGNED_IN)
        headers = [*told, ("ms-keep-alive", _KEEP_ALIVE)]
        return turn.signed(200, "OK", *headers, expires=str(seconds))


_USER_FAULTS: Mapping[FaultName, Refusal] = {
    FaultName.USER_DISABLED: Refusal.DISABLED,
    FaultName.USER_UNKNOWN: Refusal.NO_USER,
}


def _bound(uri: str, claim: Claim, seconds: int) -> str:
    """Return the ``Contact`` of a device that is registered."""
    instance = f'+sip.instance="<urn:uuid:{claim.device.instance}>"'
    return f'<{uri}>;expires={seconds};{instance};gruu="{_gruu(claim)}"'


def _gruu(claim: Claim) -> str:
    """Return the address of a user's device in the form that real Registrars give it."""
    opaque = base64.urlsafe_b64encode(claim.device.instance.bytes_le + bytes(2)).decode()
    return f"{claim.sip_uri};opaque=user:epid:{opaque};gruu"
