"""Fitness: whether an issued certificate can be used; asked by the check and by a repeated job."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from usbprov.engine.steps.clock import TOLERANCE
from usbprov.engine.times import local
from usbprov.errors import ObjectUnreadable
from usbprov.pki.certificates import user_addresses
from usbprov.pki.keys import key_digest
from usbprov.tape.clock import now

LEAST_LEFT = timedelta(hours=1)
"""A certificate with less left is as good as expired: clients enrol anew (``protocol.md`` 13)."""

LEAST_BITS = 2048
"""An RSA key with less is not given out any more (NIST SP 800-57 part 1, 5.6.1)."""


@dataclass(frozen=True)
class Unfitness:
    """Why a certificate cannot be used: ``check`` as ``CertificateUnfit`` has it, and words."""

    check: str
    words: str

    def __str__(self) -> str:
        return self.words


def unfitness(certificate: x509.Certificate, user: str | None) -> Unfitness | None:
    """Say why a certificate cannot be used now, or None; ``user`` None stands for any user."""
    problems = (judge(certificate, user) for judge in _JUDGES)
    return next((problem for problem in problems if problem), None)


def other_key(certificate: x509.Certificate, key_sha256: str | None) -> Unfitness | None:
    """Say that a certificate is for another key than the one with this digest, if so."""
    fits = key_digest(certificate.public_key()) == key_sha256
    return None if fits else Unfitness("key", "it is for another key")


def invalidity_at(moment: datetime, certificate: x509.Certificate) -> str | None:
    """Say from when until when it is valid, if it is not valid at a moment; else None.

    A beginning that is a few seconds off is borne: it will have come when the phone signs in.
    """
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if begin - TOLERANCE <= moment <= end:
        return None
    return f"{local(moment)}, but from {local(begin)} until {local(end)}"


def is_short(certificate: x509.Certificate) -> bool:
    """Say whether its RSA key is shorter than one should be."""
    key = certificate.public_key()
    return isinstance(key, rsa.RSAPublicKey) and key.key_size < LEAST_BITS


def weaknesses(certificate: x509.Certificate) -> Iterator[str]:
    """Yield what is borne, but should be known."""
    if isinstance(certificate.signature_hash_algorithm, hashes.SHA1):
        yield "warning: it is signed with SHA-1"
    if is_short(certificate):
        yield f"warning: the phone's present key has less than {LEAST_BITS} bits"


def _user(certificate: x509.Certificate, user: str | None) -> Unfitness | None:
    # Only names that look like addresses count: the real servers' subject is not known for
    # certain (protocol.md 5.4), and some clients' requests carry binary ones.
    try:
        names = [name.lower() for name in user_addresses(certificate)]
    except ObjectUnreadable as error:
        return Unfitness("user", str(error))
    if user is None or not names:
        return None
    address = user.removeprefix("sip:")
    if address.lower() in names:
        return None
    return Unfitness("user", f"it is for {names[0]}, not for {address}")


def _validity(certificate: x509.Certificate, _user: str | None) -> Unfitness | None:
    moment = now()
    invalid = invalidity_at(moment, certificate)
    left = certificate.not_valid_after_utc - moment
    if invalid:
        check = "expired" if left < timedelta(0) else "not-yet-valid"
        return Unfitness(check, f"it is not valid now, {invalid}")
    if left < LEAST_LEFT:
        minutes = left // timedelta(minutes=1)
        words = f"it is valid for {minutes} minutes only; phones would enrol anew"
        return Unfitness("short", words)
    return None


def _signature(certificate: x509.Certificate, _user: str | None) -> Unfitness | None:
    """Refuse MD5 and what is not known; SHA-1 is what these servers were built with."""
    try:
        broken = isinstance(certificate.signature_hash_algorithm, hashes.MD5)
    except UnsupportedAlgorithm:
        broken = True
    oid = certificate.signature_algorithm_oid.dotted_string
    words = f"it is signed with MD5 or an unknown algorithm ({oid})"
    return Unfitness("signature", words) if broken else None


_JUDGES: tuple[Callable[[x509.Certificate, str | None], Unfitness | None], ...] = (
    _user,
    _validity,
    _signature,
)
