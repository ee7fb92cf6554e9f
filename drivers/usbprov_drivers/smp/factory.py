"""What an emulated phone's memory holds when it leaves the factory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from os import urandom

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from usbprov.pki.certificates import to_der
from usbprov.pki.keys import generate_rsa
from usbprov_drivers.smp.credentials import KeyRing
from usbprov_drivers.smp.messages import NONCE
from usbprov_drivers.smp.personality import Makeup
from usbprov_drivers.smp.state import Settings, Slot, State

OTHER_USER = "zoe@contoso.test"
"""Whose credential an occupied slot holds."""

_OTHER_ROOT = "Emulated Old Root CA"


def factory_state(makeup: Makeup, roots: Sequence[bytes]) -> State:
    """Return the memory of a new phone; ``roots`` (DER) are those of today."""
    slots = [Slot() for _ in range(makeup.model.slots)]
    if makeup.occupied:
        slots[0] = _occupied()
    if makeup.old_roots:
        key = ec.generate_private_key(ec.SECP256R1())
        roots = (_self_signed(key, _OTHER_ROOT, days=7300),)
    return State(tuple(slots), clock=makeup.clock, roots=tuple(roots))


def fit(state: State, slots: int) -> State:
    """Give a memory that is brought back at least as many slots as the hardware has."""
    missing = slots - len(state.slots)
    return replace(state, slots=state.slots + tuple(Slot() for _ in range(missing)))


def _occupied() -> Slot:
    key = generate_rsa()
    settings = Settings(
        f"sip:{OTHER_USER}", None, "https://old.contoso.test/CertProv/CertProvisioningService.svc"
    )
    certificate = _self_signed(key, OTHER_USER, days=365)
    return Slot(KeyRing().store(key, urandom(NONCE)), certificate, settings=settings)


def _self_signed(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, common_name: str, *, days: int
) -> bytes:
    """Return a self-signed certificate (DER), for ``days`` before and after today."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    today, span = datetime.now(UTC), timedelta(days=days)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - span)
        .not_valid_after(today + span)
    )
    return to_der(builder.sign(key, hashes.SHA256()))
