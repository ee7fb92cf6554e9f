"""Servers that cannot prove who they are get no request at all."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from test_webservices_canned import (
    CREDENTIAL,
    ENDPOINT,
    LOOPBACK,
    Authority,
    Pool,
    certify,
    root,
    server_certificate,
)

from usbprov.errors import (
    ChainUntrusted,
    HandshakeFailed,
    NameMismatch,
    ServerCertificateExpired,
    ServerTimeout,
    ServerUnreachable,
    TrustError,
)
from usbprov.net.deadline import TimeLimits
from usbprov.pki.certificates import thumbprint
from usbprov.webservices.client import WebServices


def other_name() -> Authority:
    return certify("pool", root(), names=[x509.DNSName("pool.test")])


def common_name_only() -> Authority:
    return certify("127.0.0.1", root(), names=[x509.DNSName("pool.test")])


def expired() -> Authority:
    return certify("localhost", root(), names=LOOPBACK, days=(-30, -1))


def not_yet_valid() -> Authority:
    return certify("localhost", root(), names=LOOPBACK, days=(1, 30))


def self_signed() -> Authority:
    return certify("localhost", None, names=LOOPBACK)


def unknown_authority() -> Authority:
    return certify("localhost", certify("Other Root", None), names=LOOPBACK)


def missing_intermediate() -> Authority:
    return certify("localhost", certify("Intermediate", root()), names=LOOPBACK)


@pytest.mark.parametrize(
    ("make", "kind", "reason"),
    [
        (other_name, NameMismatch, "127.0.0.1"),
        (common_name_only, NameMismatch, "127.0.0.1"),
        (expired, ServerCertificateExpired, "expired"),
        (not_yet_valid, ServerCertificateExpired, "not yet valid"),
        (self_signed, ChainUntrusted, "self-signed certificate"),
        (unknown_authority, ChainUntrusted, "unable to get local issuer"),
        (missing_intermediate, ChainUntrusted, "unable to get local issuer"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_certificate_that_proves_nothing_ends_the_conversation(
    tmp_path: Path, make: "type[object]", kind: type[TrustError], reason: str
) -> None:
    certificate = make()
    assert isinstance(certificate, Authority)
    with Pool(certificate, folder=tmp_path) as pool, pool.client() as services:
        with pytest.raises(kind, match=re.escape(reason)) as caught:
            services.ticket(CREDENTIAL, ENDPOINT, None)
        assert caught.value.server == f"127.0.0.1:{pool.port}"
        assert thumbprint(certificate.certificate) in caught.value.presented[0]
        with pytest.raises(kind):
            services.presented_chain()
        assert pool.seen == []


def test_environment_has_no_say_in_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Pool(folder=tmp_path) as pool:
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, str(pool.ca_file))
        with WebServices(pool.base) as services, pytest.raises(ChainUntrusted):
            services.offer()


def test_environment_has_no_say_in_the_way_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Pool(folder=tmp_path) as pool, pool.client() as services:
        assert services.offer().publish_location.startswith(pool.base)


def test_replaced_ca_file_is_read_anew(tmp_path: Path) -> None:
    with Pool(folder=tmp_path) as pool:
        ca_file = tmp_path / "changing.pem"
        ca_file.write_bytes(certify("Other Root", None).pem)
        with pool.client(ca_file) as services, pytest.raises(ChainUntrusted):
            services.offer()
        ca_file.write_bytes(root().pem)
        with pool.client(ca_file) as services:
            assert services.offer()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(tmp_path: Path) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        Pool(folder=tmp_path, tls=old) as pool,
        pool.client() as services,
        pytest.raises(HandshakeFailed, match="protocol version"),
    ):
        services.offer()


def test_chain_is_shown_as_presented_and_completed_by_the_known_root(tmp_path: Path) -> None:
    above = certify("Intermediate", root())
    leaf = certify("localhost", above, names=LOOPBACK)
    with Pool(leaf, [above], folder=tmp_path) as pool, pool.client() as services:
        assert services.presented_chain() == [leaf.der, above.der]
        assert services.trusted_roots() == [root().der]
        assert services.offer()


def test_server_is_verified_by_its_name_as_by_its_address(tmp_path: Path) -> None:
    with Pool(server_certificate(), folder=tmp_path) as pool:
        url = f"https://localhost:{pool.port}"
        with WebServices(url, ca_file=pool.ca_file) as services:
            assert len(services.presented_chain()) == 1


# --- ports behind which there is no TLS --------------------------------------------------------


@contextmanager
def plain_port(first_bytes: bytes | None) -> Iterator[int]:
    """Listen; to each connection send these bytes and end it, or with None stay silent."""
    kept: list[socket.socket] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                kept.append(connection)
                if first_bytes is not None:
                    connection.sendall(first_bytes)
                    connection.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in kept:
                connection.close()


def services_at(port: int, ca_file: Path, connect: float = 20) -> WebServices:
    limits = TimeLimits(connect=connect, answer=30)
    return WebServices(f"https://127.0.0.1:{port}", ca_file=ca_file, timeout=limits)


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(root().pem)
    return path


@pytest.mark.parametrize("first_bytes", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n"])
def test_port_that_speaks_something_else_is_no_tls(ca_file: Path, first_bytes: bytes) -> None:
    with plain_port(first_bytes) as port, services_at(port, ca_file) as services:
        with pytest.raises(HandshakeFailed, match=r"wrong version number|record layer"):
            services.offer()
        with pytest.raises(HandshakeFailed):
            services.presented_chain()


def test_port_that_hangs_up_at_once_is_told(ca_file: Path) -> None:
    with (
        plain_port(b"") as port,
        services_at(port, ca_file) as services,
        pytest.raises(ServerUnreachable, match=r"connection broke|closes the connection"),
    ):
        services.offer()


def test_silent_port_is_left_after_the_time_for_connecting(ca_file: Path) -> None:
    with plain_port(None) as port, services_at(port, ca_file, connect=0.3) as services:
        with pytest.raises(ServerTimeout) as caught:
            services.offer()
        assert 0.3 <= caught.value.seconds < 10
        with pytest.raises(ServerTimeout):
            services.presented_chain()
