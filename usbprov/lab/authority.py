"""The lab's keys and certificates, persistent in a folder.

Three separate trees of trust, as in a real pool: the CA of the TLS server (root, intermediate,
server), the Web Services' own CA that signs user certificates and chains to nothing else
([MS-SIPAE] 3.1 and the product's administration guide), and the key that signs Web tickets.
A key and its certificate stand in one file, so that a crash never leaves one without the other.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from usbprov.errors import LabUnusable, ObjectUnreadable
from usbprov.lab.files import PUBLIC, private_folder, write_atomic
from usbprov.lab.profiles import Identity, Profile, Purpose, general_name, make_certificate
from usbprov.pki.certificates import load_pem_certificates, to_pem
from usbprov.pki.keys import generate_rsa

ISSUER_NAME = "Communications Server"
"""Issuer of user certificates, as it shows in a user's certificate store."""

DEFAULT_VALIDITY = timedelta(hours=4320)

_WRAPPING_KEY_SIZE = 32
_RENEW_BEFORE = timedelta(days=7)
_ALWAYS = ("localhost", "127.0.0.1", "::1")

ROOT = Profile("usbprov lab root CA", Purpose.AUTHORITY, timedelta(days=3650), path_length=1)
INTERMEDIATE = Profile(
    "usbprov lab issuing CA", Purpose.AUTHORITY, timedelta(days=3640), path_length=0
)
_SERVICES = Profile(ISSUER_NAME, Purpose.AUTHORITY, timedelta(days=3650), path_length=0)
_TICKETS = Profile("Web Ticket Service", Purpose.SIGNING, timedelta(days=3650))


@dataclass(frozen=True)
class Authority:
    """Everything that the lab signs or proves itself with.

    Attributes:
        root: The TLS root; its certificate is what clients and phones are given to trust.
        intermediate: Issues the server's certificate, and is sent with it.
        services: The Web Services' CA, which issues user certificates.
        tickets: Signs Web tickets.
        server: The TLS server.
        server_profile: What the server's certificate says.
        wrapping_key: Wraps proof keys inside tickets (AES-256, RFC 3394).
        root_file: PEM file with the root certificate alone.
        server_file: PEM file with the server's key, its certificate and the intermediate's.
    """

    root: Identity
    intermediate: Identity
    services: Identity
    tickets: Identity
    server: Identity
    server_profile: Profile
    wrapping_key: bytes = field(repr=False)
    root_file: Path
    server_file: Path


def open_authority(folder: Path, names: Sequence[str], *, now: datetime | None = None) -> Authority:
    """Read the keys and certificates of ``folder``, and make what is missing.

    Args:
        folder: Where they are kept; made with mode 0700.
        names: Names and addresses that the server's certificate must have, beside those of
            loopback; the first is its subject.
        now: The present; the system's clock if left out.

    Raises:
        LabUnusable: The folder cannot be written, or holds something damaged.
    """
    now = now or datetime.now(UTC)
    keep = _Keeper(private_folder(folder), now)
    root = keep.identity("root", ROOT, None)
    intermediate = keep.identity("intermediate", INTERMEDIATE, root)
    profile = _server_profile(names)
    server_file, server = keep.server(profile, intermediate)
    authority = Authority(
        root=root,
        intermediate=intermediate,
        services=keep.identity("web-services", _SERVICES, None),
        tickets=keep.identity("web-ticket", _TICKETS, None),
        server=server,
        server_profile=profile,
        wrapping_key=keep.secret("wrapping.key", _WRAPPING_KEY_SIZE),
        root_file=folder / "root-ca.pem",
        server_file=server_file,
    )
    write_atomic(authority.root_file, to_pem([root.certificate]), PUBLIC)
    write_atomic(folder / "web-services-ca.pem", to_pem([authority.services.certificate]), PUBLIC)
    return authority


class UserIssuer:
    """The Web Services' signing of user certificates."""

    def __init__(self, services: Identity) -> None:
        self._services = services

    def issue(
        self, key: rsa.RSAPublicKey, user: str, now: datetime, life: timedelta = DEFAULT_VALIDITY
    ) -> x509.Certificate:
        """Issue a certificate for ``user`` (``user@domain``, no ``sip:``).

        Profile: the subject's one CN is the user, no subject alternative name, client
        authentication only. The real profile is not publicly known; this is the lab's choice.
        """
        return make_certificate(Profile(user, Purpose.CLIENT, life), key, self._services, now)


def _server_profile(names: Sequence[str]) -> Profile:
    every = list(dict.fromkeys((*names, *_ALWAYS)))
    return Profile(every[0], Purpose.SERVER, timedelta(days=365), names=every)


class _Keeper:
    """The folder: reads what is there, makes and writes what is not."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self._folder = folder
        self._now = now

    def identity(self, name: str, profile: Profile, issuer: Identity | None) -> Identity:
        """Return the kept identity of that name, made after ``profile`` if it is not there."""
        path = self._folder / f"{name}.pem"
        if path.exists():
            return _read_identity(path)
        identity = self._make(profile, issuer)
        write_atomic(path, key_pem(identity.key) + to_pem([identity.certificate]))
        return identity

    def server(self, profile: Profile, issuer: Identity) -> tuple[Path, Identity]:
        """Return the server's PEM file, renewed if it does not serve for the profile's names."""
        path = self._folder / "server.pem"
        if path.exists():
            kept = _read_identity(path)
            if self._serves(kept, profile):
                return path, kept
        made = self._make(profile, issuer)
        chain = to_pem([made.certificate, issuer.certificate])
        write_atomic(path, key_pem(made.key) + chain)
        return path, made

    def secret(self, name: str, size: int) -> bytes:
        """Return the kept random bytes of that name."""
        path = self._folder / name
        if not path.exists():
            write_atomic(path, os.urandom(size))
        found = _guarded(path, path.read_bytes)
        if len(found) != size:
            raise LabUnusable(f"{path} is damaged")
        return found

    def _make(self, profile: Profile, issuer: Identity | None) -> Identity:
        key = generate_rsa()
        signer = issuer or key
        return Identity(key, make_certificate(profile, key.public_key(), signer, self._now))

    def _serves(self, identity: Identity, profile: Profile) -> bool:
        names = identity.certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
        covered = all(general_name(name) in names for name in profile.names)
        return covered and identity.certificate.not_valid_after_utc > self._now + _RENEW_BEFORE


def key_pem(key: rsa.RSAPrivateKey) -> bytes:
    """Return a key as PEM, not encrypted: for the lab's own folder."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _read_identity(path: Path) -> Identity:
    pem = _guarded(path, path.read_bytes)
    try:
        # The test of the primes takes 0.1 s a key; this file is our own, and private.
        key = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
        certificate = load_pem_certificates(pem)[0]
    except (ValueError, TypeError, ObjectUnreadable):
        raise LabUnusable(f"{path} is damaged") from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.public_key() != certificate.public_key():
        raise LabUnusable(f"{path} is damaged: key and certificate do not belong together")
    return Identity(key, certificate)


def _guarded(path: Path, read: Callable[[], bytes]) -> bytes:
    try:
        return read()
    except OSError as error:
        raise LabUnusable(f"{path} cannot be read: {error.strerror}") from None
