"""``check publication --user``: what the ledger says of a user's certificate, without the phone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509

from usbprov.checks import Verdict
from usbprov.engine.checks.published import Published, newest
from usbprov.engine.checks.renewal import renewal_seen
from usbprov.engine.checks.sequence import CheckStep, Seen
from usbprov.engine.fitness import unfitness
from usbprov.engine.job import known
from usbprov.engine.times import local
from usbprov.errors import InstalledUnfit, NoSuchJob
from usbprov.ledger.ledger import Ledger
from usbprov.pki.certificates import shown_name


@dataclass
class KeptCheck:
    """A user whose certificate is looked for.

    Attributes:
        ledger: Where.
        user: SIP URI.
        found: The newest certificate that this computer got for the user.
    """

    ledger: Ledger
    user: str
    found: Published | None = None

    @property
    def certificate(self) -> x509.Certificate | None:
        """The certificate that was found."""
        return self.found.certificate if self.found else None


def certificate(of: KeptCheck) -> Seen:
    """Find the newest certificate of the user.

    Raises:
        NoSuchJob: There is none.
    """
    of.found = newest(of.ledger, of.user)
    if of.found is None:
        raise NoSuchJob(f"with a certificate of {of.user}")
    issuer = shown_name(of.found.certificate.issuer)
    return Seen(f"the newest here, issued by {issuer}", (str(of.found),))


def validity(of: KeptCheck) -> Seen:
    """See that it is valid now.

    Raises:
        InstalledUnfit: It is not.
    """
    found = known(of.found)
    problem = unfitness(found.certificate, of.user)
    if problem:
        raise InstalledUnfit(f"phone {found.job.phone_serial}", str(problem))
    return Seen(f"valid until {local(found.certificate.not_valid_after_utc)}")


def renewal(of: KeptCheck) -> Seen:
    """Say how long it is good."""
    remedy = "Attach the phone: usbprov renew"
    return renewal_seen(known(of.found).certificate, remedy)


def sign_in(of: KeptCheck) -> Seen:
    """Say why it cannot be shown whether the certificate is the published one."""
    job = known(of.found).job
    return Seen(
        f"not done: the key is in the phone (serial {job.phone_serial}), and only a sign-in shows "
        "whether the home pool knows this certificate",
        verdict=Verdict.UNKNOWN,
        remedy="Attach the phone and repeat: usbprov check publication PHONE",
    )


KEPT: Sequence[CheckStep[KeptCheck]] = (
    CheckStep("certificate", certificate),
    CheckStep("validity", validity, ("found",)),
    CheckStep("renewal", renewal, ("found",)),
    CheckStep("sign-in", sign_in, ("found",)),
)

KEPT_FACTS: Mapping[str, str] = {"found": "certificate of this user in the ledger"}
