"""What the server presents in the TLS handshake: its good chain, or one that a fault wants.

The certificates of the faults are made when they are first wanted, all with the server's own key.
"""

import ssl
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import SignatureAlgorithmOID

from usbprov.errors import LabUnusable
from usbprov.lab.authority import INTERMEDIATE, ROOT, Authority, key_pem
from usbprov.lab.faults import FAULTS, FaultName, Faults, Scope
from usbprov.lab.files import write_atomic
from usbprov.lab.profiles import Identity, make_certificate
from usbprov.lab.times import Clock
from usbprov.pki.certificates import to_der, to_pem

WRONG_NAME = "elsewhere.contoso.test"

_ANY_STRENGTH = "DEFAULT:@SECLEVEL=0"


@dataclass(frozen=True)
class Chain:
    """What is sent, and what a client must trust for it.

    Attributes:
        sent: The server's certificate, then what is sent with it.
        issuers: From the server's issuer to the root, whether sent or not.
    """

    sent: tuple[x509.Certificate, ...]
    issuers: tuple[x509.Certificate, ...]


@dataclass(frozen=True)
class Workshop:
    """Where chains are made: the authority, and the time at which it works."""

    authority: Authority
    now: datetime

    def good(self) -> Chain:
        """Return the chain that there is nothing wrong with."""
        authority = self.authority
        leaf, between = authority.server.certificate, authority.intermediate.certificate
        return Chain((leaf, between), (between, authority.root.certificate))

    def leaf(self, issuer: Identity, **changes: Any) -> x509.Certificate:
        """Make another certificate for the server's key; changes are those of its profile."""
        profile = replace(self.authority.server_profile, **changes)
        return make_certificate(profile, self.authority.server.key.public_key(), issuer, self.now)

    def intermediate(self, root: Identity) -> Identity:
        """Make another certificate for the intermediate's key."""
        key = self.authority.intermediate.key
        return Identity(key, make_certificate(INTERMEDIATE, key.public_key(), root, self.now))


def _incomplete(shop: Workshop) -> Chain:
    good = shop.good()
    return Chain(good.sent[:1], good.issuers)


def _wrong_order(shop: Workshop) -> Chain:
    good = shop.good()
    return Chain((good.sent[0], *reversed(good.issuers)), good.issuers)


def _expired(shop: Workshop) -> Chain:
    return _with_leaf(shop, life=timedelta(days=-1))


def _wrong_name(shop: Workshop) -> Chain:
    return _with_leaf(shop, common_name=WRONG_NAME, names=(WRONG_NAME,))


def _with_leaf(shop: Workshop, **changes: Any) -> Chain:
    good = shop.good()
    return Chain((shop.leaf(shop.authority.intermediate, **changes), *good.sent[1:]), good.issuers)


def _unknown_root(shop: Workshop) -> Chain:
    key = shop.authority.services.key
    profile = replace(ROOT, common_name="Unknown root CA")
    root = Identity(key, make_certificate(profile, key.public_key(), key, shop.now))
    between = shop.intermediate(root)
    return Chain((shop.leaf(between), between.certificate), (between.certificate, root.certificate))


def _sha1(shop: Workshop) -> Chain:
    authority = shop.authority
    between = _signed_with_sha1(shop.intermediate(authority.root).certificate, authority.root)
    signer = Identity(authority.intermediate.key, between)
    leaf = _signed_with_sha1(shop.leaf(signer), signer)
    return Chain((leaf, between), (between, authority.root.certificate))


_MAKERS: Mapping[FaultName | None, Callable[[Workshop], Chain]] = {
    FaultName.INCOMPLETE_CHAIN: _incomplete,
    FaultName.WRONG_ORDER: _wrong_order,
    FaultName.UNKNOWN_ROOT: _unknown_root,
    FaultName.EXPIRED_SERVER_CERT: _expired,
    FaultName.WRONG_NAME: _wrong_name,
    FaultName.SHA1_CHAIN: _sha1,
}


def _signed_with_sha1(certificate: x509.Certificate, issuer: Identity) -> x509.Certificate:
    """Sign a certificate anew, with SHA-1, as no library does any more.

    The identifiers of both algorithms and both signatures are of one length each, so they are
    exchanged where they stand.
    """
    new, old = _oid(SignatureAlgorithmOID.RSA_WITH_SHA1), _oid(certificate.signature_algorithm_oid)
    tbs = certificate.tbs_certificate_bytes.replace(old, new, 1)
    signature = issuer.key.sign(tbs, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    der = to_der(certificate).replace(certificate.tbs_certificate_bytes, tbs)
    der = der.replace(old, new, 1).replace(certificate.signature, signature)
    return x509.load_der_x509_certificate(der)


def _oid(oid: x509.ObjectIdentifier) -> bytes:
    """Return the DER of an identifier of PKCS#1 (RFC 8017 A.2.4)."""
    return bytes.fromhex("06092a864886f70d0101") + bytes(
        [int(oid.dotted_string.rpartition(".")[2])]
    )


@dataclass(frozen=True)
class Presented:
    """A TLS context with the chain that it presents."""

    context: ssl.SSLContext
    chain: Chain


class Presentation:
    """Says what to present, handshake by handshake."""

    def __init__(self, authority: Authority, faults: Faults, clock: Clock) -> None:
        self._authority = authority
        self._clock = clock
        self._faults = faults
        self._lock = threading.Lock()
        self._made: dict[FaultName | None, Presented] = {}
        self._get(None)

    def now(self) -> Presented:
        """Return what is to be presented now; of several faults that are on, the first counts."""
        on = (name for name in _HANDSHAKE if self._faults.is_on(name))
        return self._get(next(on, None))

    def context(self) -> ssl.SSLContext:
        """Return a context that presents in each handshake what is to be presented then."""
        outer = _Switched(ssl.PROTOCOL_TLS_SERVER)
        outer.choose = lambda: self.now().context
        return outer

    def _get(self, name: FaultName | None) -> Presented:
        with self._lock:
            if name not in self._made:
                self._made[name] = self._make(name)
            return self._made[name]

    def _make(self, name: FaultName | None) -> Presented:
        chain = _MAKERS.get(name, Workshop.good)(Workshop(self._authority, self._clock()))
        path = self._authority.server_file
        if name:
            path = path.with_name(f"server-{name.value}.pem")
            write_atomic(path, key_pem(self._authority.server.key) + to_pem(chain.sent))
        return Presented(server_context(path, name), chain)


_HANDSHAKE = [name for name, kind in FAULTS.items() if kind.scope is Scope.HANDSHAKE]


class _Switched(ssl.SSLContext):
    """Hands every new connection to the context of the moment."""

    choose: Callable[[], ssl.SSLContext]

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *arguments: Any, **options: Any
    ) -> ssl.SSLObject:
        """Begin a connection (asyncio calls this for each)."""
        made = self.choose().wrap_bio(incoming, outgoing, *arguments, **options)
        if isinstance(made, _Telling):
            made.outgoing = outgoing
        return made


class _Telling(ssl.SSLObject):
    """Tells the client by an alert why a handshake fails.

    asyncio drops a connection whose handshake raises, and with it the alert that is to be sent. So
    where there is one it is told to wait for more; then the client knows, and ends the connection.
    """

    outgoing: ssl.MemoryBIO
    _failed: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """Go on with the handshake."""
        if self._failed is not None:
            raise self._failed
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            if not self.outgoing.pending:
                raise
            self._failed = error
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "alert") from None


def server_context(pem: Path, fault: FaultName | None = None) -> ssl.SSLContext:
    """Make the TLS context of a server: TLS 1.2 at least, key and chain from one PEM file.

    Args:
        pem: The file.
        fault: With which weaker rules.

    Raises:
        LabUnusable: The file is no key with its chain.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Telling
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if fault in {FaultName.SHA1_CHAIN, FaultName.TLS10_ONLY}:
        context.set_ciphers(_ANY_STRENGTH)
    if fault is FaultName.TLS10_ONLY:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old it is meant to be
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    try:
        context.load_cert_chain(pem)
    except OSError as error:  # ssl.SSLError is one
        raise LabUnusable(f"{pem} is damaged: {error.strerror}") from None
    return context
