"""TLS towards the Web Services: always verified, TLS 1.2 or newer, errors of the tree."""

import functools
import socket
import ssl
import sys
from pathlib import Path
from typing import Protocol, cast

from usbprov.errors import (
    ChainUntrusted,
    ConfigInvalid,
    HandshakeFailed,
    NameMismatch,
    ServerCertificateExpired,
    TrustError,
)
from usbprov.webservices.deadline import time_left

_ERRORS_BY_VERIFY_CODE: dict[int, type[TrustError]] = {
    9: ServerCertificateExpired,  # X509_V_ERR_CERT_NOT_YET_VALID
    10: ServerCertificateExpired,  # X509_V_ERR_CERT_HAS_EXPIRED
    62: NameMismatch,  # X509_V_ERR_HOSTNAME_MISMATCH
    64: NameMismatch,  # X509_V_ERR_IP_ADDRESS_MISMATCH
}
"""By OpenSSL's ``X509_V_ERR_`` numbers; any other one speaks of the chain."""


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


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return the one TLS context for a set of trust anchors; chain and name are always verified.

    Args:
        ca_file: PEM file with the only anchors that count, or None for the system's store. The
            environment (``SSL_CERT_FILE``, ``REQUESTS_CA_BUNDLE``) has no say.

    Raises:
        ConfigInvalid: The file cannot be read or holds no certificate.
    """
    if ca_file is None:
        return _context(None, 0)
    try:
        changed = ca_file.stat().st_mtime_ns
    except OSError as error:
        raise ConfigInvalid(error.strerror or "it cannot be read", str(ca_file)) from None
    return _context(ca_file, changed)


@functools.lru_cache(maxsize=8)
def _context(ca_file: Path | None, changed: int) -> ssl.SSLContext:  # noqa: ARG001 - part of the cache's key
    """Build a context, once for each file and time at which it was ``changed``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.sslsocket_class = VerifiedSocket
    if ca_file is None:
        _load_system_store(context)
    else:
        _load_file(context, ca_file)
    return context


def _load_file(context: ssl.SSLContext, ca_file: Path) -> None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError:  # an OSError, too
        problem = "it holds no CA certificate in PEM form"
    except OSError as error:
        problem = error.strerror or "it cannot be read"
    else:
        return
    raise ConfigInvalid(problem, str(ca_file))


def _load_system_store(context: ssl.SSLContext) -> None:
    if sys.platform in {"win32", "darwin"}:
        context.load_default_certs()
        return
    paths = ssl.get_default_verify_paths()
    cafile = paths.openssl_cafile if Path(paths.openssl_cafile).is_file() else None
    capath = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else None
    if cafile or capath:
        context.load_verify_locations(cafile, capath)


def trust_error(error: ssl.SSLError, server: str) -> TrustError:
    """Turn a failed handshake into the error of the tree that tells its cause."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return HandshakeFailed(server, _reason(error))
    kind = _ERRORS_BY_VERIFY_CODE.get(error.verify_code, ChainUntrusted)
    return kind(server, error.verify_message.rstrip("."))


def _reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason in small letters: ``wrong version number``."""
    return (error.reason or "the connection broke in the handshake").replace("_", " ").lower()


def presented_chain(host: str, port: int, tls: ssl.SSLContext, timeout: float) -> list[bytes]:
    """Return what a server presents in a verified TLS handshake, its own certificate first.

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
        ssl.PEM_cert_to_DER_cert(found.public_bytes()) for found in inner.get_unverified_chain()
    ]


def trusted_roots(tls: ssl.SSLContext) -> list[bytes]:
    """Return the trust anchors (DER) that a context has loaded.

    Anchors out of a directory are loaded when they are first needed: ask after a handshake.
    """
    return tls.get_ca_certs(binary_form=True)
