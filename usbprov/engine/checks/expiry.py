"""When the certificates in use end, as far as the ledger knows."""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from usbprov.engine.checks.renewal import renewal_of
from usbprov.ledger.holdings import read_holdings
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobRecord
from usbprov.pki.certificates import load_certificate, summarise


@dataclass(frozen=True)
class Expiry:
    """A phone's certificate, and when it ends.

    Attributes:
        job: The job that put it in use.
        certificate: The certificate.
    """

    job: JobRecord
    certificate: x509.Certificate

    @property
    def not_after(self) -> datetime:
        """Its end (UTC)."""
        return self.certificate.not_valid_after_utc

    @property
    def sha256(self) -> str:
        """SHA-256 of the whole certificate, lower-case hex."""
        return summarise(self.certificate).sha256

    @property
    def sha1(self) -> str:
        """The thumbprint by which Windows and its cmdlets call it, lower-case hex."""
        return summarise(self.certificate).sha1

    def is_due(self, now: datetime) -> bool:
        """Say whether it is to be renewed."""
        return renewal_of(self.certificate, now).is_due


def expiries(ledger: Ledger) -> list[Expiry]:
    """Return the certificates in use of all phones, the first to end first."""
    found = [
        Expiry(held.job, load_certificate(held.data)) for held in read_holdings(ledger.database)
    ]
    return sorted(found, key=lambda one: (one.not_after, one.job.id))
