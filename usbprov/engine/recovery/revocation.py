"""Revocation: what is to be done at the servers so that a certificate counts no more.

That is a choice: no call of the Web Services that withdraws a certificate is publicly known. What
is known is a cmdlet for administrators, ``Revoke-CsClientCertificate``, and that it deletes all
certificates of a user. Should a call become known, this is the place where it is made.
"""

from dataclasses import dataclass

from usbprov.engine.checks.expiry import expiries
from usbprov.ledger.ledger import Ledger
from usbprov.phone.contract import PhoneIdentity


@dataclass(frozen=True)
class Revocation:
    """What an administrator has to type, and whom that concerns besides.

    Attributes:
        command: For the Skype for Business Server Management Shell.
        others: Other phones of the same user (serial numbers), as far as the ledger knows: their
            certificates go, too.
    """

    command: str
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"not done: an administrator has to type {self.command}"


def revocation_of(user: str | None, phone: PhoneIdentity, ledger: Ledger) -> Revocation | None:
    """Say how a user's certificates are revoked; None where no user is known."""
    if user is None:
        return None
    others = [
        one.job.phone_serial
        for one in expiries(ledger)
        if (one.job.user or "").lower() == user.lower()
        and PhoneIdentity(one.job.phone_serial, one.job.phone_mac) != phone
    ]
    return Revocation(f"Revoke-CsClientCertificate -Identity {user}", tuple(others))
