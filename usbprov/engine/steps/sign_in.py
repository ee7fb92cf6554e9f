"""Sign in: the proof that the certificate has reached the user's home pool.

The phone's key signs the handshake where it is; the registration is ended again at once.
"""

from typing import TYPE_CHECKING, ClassVar

from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.errors import RegistrarError, TrustError
from usbprov.net.credentials import CertificateCredential
from usbprov.phone.contract import Capability
from usbprov.tape.ports import passing

if TYPE_CHECKING:
    from usbprov.registrar.client import SignIn

# ruff: noqa: PLC0415 - SIP is imported when somebody signs in


class SignInStep:
    """Changes nothing in the phone; what was shown stands in ``job.proof``."""

    name: ClassVar = StepName.SIGN_IN
    needs: ClassVar = frozenset({"info", "user", "certificate"})
    yields: ClassVar = frozenset({"proof"})

    def already(self, job: Job) -> str | None:
        """It is never done already, but it may not be wanted or not be possible."""
        return _left_out(job)

    def intent(self, job: Job) -> str:
        """Say where, and with what."""
        where = f"at {job.order.registrar} with the phone's key, then out again"
        return f"left out: {reason}" if (reason := _left_out(job)) else where

    def run(self, job: Job) -> str:
        """Sign in and out; only a Registrar that proves itself counts."""
        from usbprov.registrar.taping import sign_in_port

        slot, phone = job.order.slot, job.phone
        credential = CertificateCredential(
            known(job.certificate), lambda block: phone.sign(slot, block)
        )
        registrar, user = job.reach(), known(job.user)
        port = sign_in_port(user, credential, known(job.order.registrar))

        def sign_in() -> "SignIn":
            return passing(port, lambda: registrar.sign_in(user, credential, job.endpoint))

        try:
            found = job.retry(sign_in)
        except (RegistrarError, TrustError):
            job.proof.sign_in = False
            raise
        job.signed_in, job.proof.sign_in = found, True
        by = " ".join(part for part in (found.scheme, found.protocol) if part)
        ended = "" if found.signed_out else "; it did not confirm the sign-out"
        return f"signed in as {user} at {found.server} ({by}), and out again{ended}"


def _left_out(job: Job) -> str | None:
    if not job.order.sign_in:
        return "it was not wanted"
    if job.order.registrar is None:
        return "no Registrar was named (--registrar)"
    if Capability.SIGN not in known(job.info).capabilities:
        return "this model cannot sign for a handshake"
    return None
