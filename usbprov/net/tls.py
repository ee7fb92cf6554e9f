"""TLS towards the Web Services: always verified, TLS 1.2 or newer, errors of the tree.

Only a server that the site's settings name may speak an older version. OpenSSL ties old versions
and weak certificates to one security level, so for that server alone SHA-1 and short keys in the
chain are taken, too; its name and its root are verified as ever.
"""

import functools
import socket
import ssl
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Protocol, cast

from usbprov.errors import (
    ChainUntrusted,
    ConfigInvalid,
    HandshakeFailed,
    NameMismatch,
    ObjectUnreadable,
    ServerCertificateExpired,
    TrustError,
)
from usbprov.net.deadline import time_left
from usbprov.net.site import DEFAULT_TLS, TlsVersion
from usbprov.pki.bundles import load_bundle
from usbprov.pki.certificates import to_der

_CHAIN = (ChainUntrusted, "chain")

_BY_VERIFY_CODE: dict[int, tuple[type[TrustError], str]] = {
    9: (ServerCertificateExpired, "expiry"),  # X509_V_ERR_CERT_NOT_YET_VALID
    10: (ServerCertificateExpired, "expiry"),  # X509_V_ERR_CERT_HAS_EXPIRED
    18: (ChainUntrusted, "self-signed"),  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
    62: (NameMismatch, "name"),  # X509_V_ERR_HOSTNAME_MISMATCH
    64: (NameMismatch, "name"),  # X509_V_ERR_IP_ADDRESS_MISMATCH
    66: (ChainUntrusted, "algorithm"),  # X509_V_ERR_EE_KEY_TOO_SMALL
    67: (ChainUntrusted, "algorithm"),  # X509_V_ERR_CA_KEY_TOO_SMALL
    68: (ChainUntrusted, "algorithm"),  # X509_V_ERR_CA_MD_TOO_WEAK
}
"""Error and failed check by OpenSSL's ``X509_V_ERR_`` numbers; any other speaks of the chain."""

_PROTOCOL_REASONS = frozenset(
    {"unsupported protocol", "tlsv1 alert protocol version", "version too low"}
)

_VERSIONS = {
    TlsVersion.V1_0: ssl.TLSVersion.TLSv1,
    TlsVersion.V1_1: ssl.TLSVersion.TLSv1_1,
    TlsVersion.V1_2: ssl.TLSVersion.TLSv1_2,
    TlsVersion.V1_3: ssl.TLSVersion.TLSv1_3,
}

_OLD_CIPHERS = "DEFAULT:@SECLEVEL=0"

_LOOK_SECONDS = 5.0


class VerifiedSocket(ssl.SSLSocket):
    """A TLS socket that keeps to the time limit of the whole exchange."""

    def read(self, len: int = 1024, buffer: bytearray | None = None) -> bytes:  # type: ignore[override]  # noqa: A002
        """Read as ``SSLSocket`` does, in the time that is left."""
        self._limit()
        return super().read(len, buffer)

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        """Send as ``SSLSocket`` does, in the time that is left."""
        self._limit()
        return super().send(data, flags)

    def _limit(self) -> None:
        left = time_left()
        if left is not None:
            self.settimeout(left)


def tls_context(ca_file: Path | None, least: TlsVersion = DEFAULT_TLS) -> ssl.SSLContext:
    """Return the one TLS context for a set of trust anchors; chain and name are always verified.

    Args:
        ca_file: PEM file with the only anchors that count, or None for the system's store. The
            environment (``SSL_CERT_FILE``, ``REQUESTS_CA_BUNDLE``) has no say.
        least: The oldest version that will do.

    Raises:
        ConfigInvalid: The file cannot be read or holds no certificate.
    """
    if ca_file is None:
        return _context(None, 0, least)
    try:
        changed = ca_file.stat().st_mtime_ns
    except OSError as error:
        raise ConfigInvalid(error.strerror or "it cannot be read", str(ca_file)) from None
    return _context(ca_file, changed, least)


@functools.lru_cache(maxsize=8)
def _context(ca_file: Path | None, changed: int, least: TlsVersion) -> ssl.SSLContext:  # noqa: ARG001 - part of the cache's key
    """Build a context, once for each file and time at which it was ``changed``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _allow(context, least)
    context.hostname_checks_common_name = False
    context.sslsocket_class = VerifiedSocket
    if ca_file is None:
        _load_system_store(context)
    else:
        _load_file(context, ca_file)
    return context


def _allow(context: ssl.SSLContext, least: TlsVersion) -> None:
    """Set the oldest version, and with one before TLS 1.2 the security level that it needs."""
    with warnings.catch_warnings():  # Python warns of the old ones, which were asked for
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS[least]
    if least < DEFAULT_TLS:
        context.set_ciphers(_OLD_CIPHERS)


def _load_file(context: ssl.SSLContext, ca_file: Path) -> None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError:  # an OSError, too
        _load_bundle(context, ca_file)
    except OSError as error:
        raise ConfigInvalid(error.strerror or "it cannot be read", str(ca_file)) from None


def _load_bundle(context: ssl.SSLContext, ca_file: Path) -> None:
    """Load certificates of a file that OpenSSL does not take as it is: DER or PKCS#7."""
    try:
        found = load_bundle(ca_file.read_bytes(), "the file")
        context.load_verify_locations(cadata=b"".join(map(to_der, found)))
    except (ObjectUnreadable, OSError):
        problem = "it holds no CA certificate in PEM form, DER or PKCS#7"
        raise ConfigInvalid(problem, str(ca_file)) from None


def _load_system_store(context: ssl.SSLContext) -> None:
    if sys.platform in {"win32", "darwin"}:
        context.load_default_certs()
    else:
        _load_files_of_openssl(context)


def _load_files_of_openssl(context: ssl.SSLContext) -> None:
    paths = ssl.get_default_verify_paths()
    cafile = paths.openssl_cafile if Path(paths.openssl_cafile).is_file() else None
    capath = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else None
    if cafile or capath:
        context.load_verify_locations(cafile, capath)


def trust_error(error: ssl.SSLError, server: str, presented: tuple[str, ...] = ()) -> TrustError:
    """Turn a failed handshake into the error of the tree that tells its cause.

    Args:
        error: What was raised.
        server: Who was talked to.
        presented: What the server showed, a line for each certificate.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        kind, check = _BY_VERIFY_CODE.get(error.verify_code, _CHAIN)
        return kind(server, error.verify_message.rstrip("."), check=check, presented=presented)
    reason = _reason(error)
    check = "protocol" if reason in _PROTOCOL_REASONS else "handshake"
    return HandshakeFailed(server, reason, check=check, presented=presented)


def _reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason in small letters: ``wrong version number``."""
    return (error.reason or "the connection broke in the handshake").replace("_", " ").lower()


def look_at_chain(host: str, port: int) -> list[bytes]:
    """Return what a server presents to anybody, for showing it to a person; empty if it will not.

    Nothing is verified, so nothing is sent or believed: the handshake is ended at once. It is for
    errors only, to show what was refused.
    """
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    _allow(anybody, TlsVersion.V1_0)
    with suppress(OSError, ValueError):
        return presented_chain(host, port, anybody, _LOOK_SECONDS)
    return []


def presented_chain(host: str, port: int, tls: ssl.SSLContext, timeout: float) -> list[bytes]:
    """Return what a server presents in a TLS handshake, its own certificate first.

    Args:
        host: Who.
        port: TCP port.
        tls: Verifies it, as made by ``tls_context``.
        timeout: For the connection, and again for the handshake, in seconds.

    Returns:
        Certificates as DER, in the order of the wire; the root is usually not among them.

    Raises:
        OSError: No connection, or (as ``ssl.SSLError``) no verified handshake.
    """
    with (
        socket.create_connection((host, port), timeout) as plain,
        tls.wrap_socket(plain, server_hostname=host) as secured,
    ):
        return _unverified_chain(secured)


class _Certificate(Protocol):
    def public_bytes(self) -> str: ...


class _Handshake(Protocol):
    def get_unverified_chain(self) -> list[_Certificate]: ...


def _unverified_chain(secured: ssl.SSLSocket) -> list[bytes]:
    """Ask for the chain: public since Python 3.13, before that the same call one level down."""
    public = getattr(secured, "get_unverified_chain", None)
    if public is not None:
        return cast("list[bytes]", public())
    inner = cast("_Handshake", secured._sslobj)  # type: ignore[attr-defined]  # noqa: SLF001
    return [
        ssl.PEM_cert_to_DER_cert(found.public_bytes())
        for found in inner.get_unverified_chain() or []
    ]


def trusted_roots(tls: ssl.SSLContext) -> list[bytes]:
    """Return the trust anchors (DER) that a context has loaded.

    Anchors out of a directory are loaded when they are first needed: ask after a handshake.
    """
    return tls.get_ca_certs(binary_form=True)
