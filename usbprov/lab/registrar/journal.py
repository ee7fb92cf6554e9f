"""What a sign-in is told as on the list of sign-ins, from its beginning to its end."""

from dataclasses import dataclass

from usbprov.lab.calls import note
from usbprov.lab.registrar.associations import Association
from usbprov.lab.registrar.negotiations import Claim
from usbprov.lab.registrar.signins import SIGNED_IN, SIGNED_OUT, SignIn, SignIns
from usbprov.lab.times import Clock, write_time


@dataclass(frozen=True)
class Journal:
    """Writes the list, for one port.

    Attributes:
        sign_ins: The list.
        registrar: ``host:port`` of the port.
        clock: The server's time.
    """

    sign_ins: SignIns
    registrar: str
    clock: Clock

    def tell(
        self, association: Association, sip_uri: str, claim: Claim | None, outcome: str
    ) -> None:
        """Say what has become of a sign-in; an association has one row as long as it goes on.

        Args:
            association: Of the sign-in.
            sip_uri: As whom.
            claim: With which device, as far as that is known.
            outcome: As ``SignIn`` has it.
        """
        if association.record is None:
            association.record = self._add(association, sip_uri, claim, outcome)
        else:
            self.sign_ins.change(association.record, outcome)
        association.signed_in = outcome == SIGNED_IN
        if outcome == SIGNED_OUT:
            association.record = None  # who signs in again over it begins another row
        note(f"{outcome}: {sip_uri} by {association.signed.scheme}")

    def refuse(
        self, association: Association, sip_uri: str, claim: Claim | None, outcome: str
    ) -> None:
        """Say that a sign-in was refused; one that goes on all the same keeps its own row."""
        if association.signed_in:
            self._add(association, sip_uri, claim, outcome)
        else:
            self.tell(association, sip_uri, claim, outcome)

    def close(self, association: Association) -> None:
        """Say that the connection is gone, of a sign-in that has not ended."""
        if association.record is not None:
            self.sign_ins.cut(association.record)

    def _add(
        self, association: Association, sip_uri: str, claim: Claim | None, outcome: str
    ) -> int:
        claim = claim or association.claim
        protocol, cipher = association.negotiation.details
        return self.sign_ins.add(
            SignIn(
                at=write_time(self.clock()),
                sip_uri=sip_uri,
                device_id=str(claim.device.instance) if claim else "",
                scheme=association.signed.scheme,
                protocol=protocol,
                cipher=cipher,
                registrar=self.registrar,
                outcome=outcome,
            )
        )
