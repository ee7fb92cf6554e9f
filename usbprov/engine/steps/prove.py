"""Prove: read back and compare, and have the phone sign a fresh nonce."""

from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.engine.order import KeySource
from usbprov.errors import PossessionUnproved, ReadBackDiffers
from usbprov.phone.contract import NONCE_SIZE, POSSESSION_PREFIX, Capability, ObjectKind
from usbprov.pki.certificates import load_certificate
from usbprov.tape.ports import draw


class ProveStep:
    """Reads only; what was shown stands in ``job.proof``."""

    name: ClassVar = StepName.PROVE
    needs: ClassVar = frozenset({"info", "certificate"})
    yields: ClassVar = frozenset({"proof"})

    def already(self, job: Job) -> str | None:
        """It is never done already: a proof is fresh, or none."""
        return None

    def intent(self, job: Job) -> str:
        """Say what is shown."""
        return "read the certificate back; have the phone sign a fresh nonce"

    def run(self, job: Job) -> str:
        """Read back, then verify the phone's signature."""
        certificate = known(job.certificate)
        job.proof.read_back = job.phone.read(ObjectKind.CERTIFICATE, job.order.slot) == certificate
        if not job.proof.read_back:
            raise ReadBackDiffers(job.phone_name)
        told = _possession(job, certificate)
        if job.key_source is KeySource.HOST:  # the phone has it for certain
            job.ledger.wipe(known(job.record).id)
        return told


def _possession(job: Job, certificate: bytes) -> str:
    if Capability.PROVE not in known(job.info).capabilities:
        return "read back and equal; this model cannot prove possession"
    nonce = draw("possession nonce", NONCE_SIZE)
    signature = job.phone.prove(job.order.slot, nonce)
    job.proof.possession = _verifies(certificate, signature, nonce)
    if not job.proof.possession:
        raise PossessionUnproved(job.phone_name)
    return "read back and equal; the phone holds the key"


def _verifies(certificate: bytes, signature: bytes, nonce: bytes) -> bool:
    key = load_certificate(certificate).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(signature, POSSESSION_PREFIX + nonce, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
