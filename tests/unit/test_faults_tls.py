"""TLS that fails: the check that failed, what the server showed, and who may be excepted."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from usbprov.errors import (
    ChainUntrusted,
    HandshakeFailed,
    NameMismatch,
    ServerCertificateExpired,
    TrustError,
)
from usbprov.net import failures
from usbprov.net.deadline import TimeLimits
from usbprov.net.failures import exchange_error, presented_lines
from usbprov.net.site import TlsVersion
from usbprov.net.tls import tls_context, trust_error
from usbprov.webservices.session import HttpSession
from usbprov.webservices.urls import server_of


def refused(number: int, words: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = number, words
    return error


@pytest.mark.parametrize(
    ("number", "kind", "check"),
    [
        (9, ServerCertificateExpired, "expiry"),
        (10, ServerCertificateExpired, "expiry"),
        (18, ChainUntrusted, "self-signed"),
        (19, ChainUntrusted, "chain"),
        (20, ChainUntrusted, "chain"),
        (62, NameMismatch, "name"),
        (64, NameMismatch, "name"),
        (66, ChainUntrusted, "algorithm"),
        (68, ChainUntrusted, "algorithm"),
        (9999, ChainUntrusted, "chain"),
    ],
)
def test_the_check_that_failed_is_named(number: int, kind: type[TrustError], check: str) -> None:
    error = trust_error(refused(number, "the reason."), "pool.test", ("a certificate",))
    assert type(error) is kind
    assert (error.check, error.reason) == (check, "the reason")
    assert error.facts()["presented"] == ("a certificate",)


@pytest.mark.parametrize(
    ("reason", "check"),
    [
        ("TLSV1_ALERT_PROTOCOL_VERSION", "protocol"),
        ("UNSUPPORTED_PROTOCOL", "protocol"),
        ("WRONG_VERSION_NUMBER", "handshake"),
        (None, "handshake"),
    ],
)
def test_a_handshake_that_fails_tells_a_protocol_from_the_rest(
    reason: str | None, check: str
) -> None:
    found = ssl.SSLError(1, "failed")
    found.reason = reason
    error = trust_error(found, "pool.test")
    assert isinstance(error, HandshakeFailed)
    assert error.check == check
    assert "--allow-old-tls" in error.remedy


def certificate(subject: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    start = datetime(2026, 1, 2, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    valid = builder.not_valid_before(start).not_valid_after(start + timedelta(days=1))
    return valid.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_each_certificate_is_shown_in_one_clean_line(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [certificate("pool.test"), certificate("evil\x1b[31m\n" + "x" * 40), b"no certificate"]
    asked: list[tuple[str, int]] = []

    def look(host: str, port: int) -> list[bytes]:
        asked.append((host, port))
        return chain * 5

    monkeypatch.setattr(failures, "look_at_chain", look)
    lines = presented_lines("[::1]:8443")
    assert asked == [("::1", 8443)]
    assert len(lines) == 10
    assert lines[0].startswith(
        "CN=pool.test, issued by CN=pool.test, valid 2026-01-02 to 2026-01-03"
    )
    assert "SHA-256 " in lines[0]
    assert all(line.isprintable() for line in lines)
    error = exchange_error(refused(10, "expired"), "pool.test", 1.0)
    assert isinstance(error, TrustError)
    assert error.presented == lines
    assert asked[-1] == ("pool.test", 443)


def test_a_server_that_shows_nothing_is_no_trouble() -> None:
    assert presented_lines("127.0.0.1:1") == ()


def test_a_server_is_named_so_that_it_can_be_found_again() -> None:
    assert server_of("https://[::1]:8443/x") == "[::1]:8443"
    assert server_of("https://[::1]/x") == "[::1]"


def test_a_context_is_as_old_as_it_may_be_and_no_older() -> None:
    assert tls_context(None).minimum_version is ssl.TLSVersion.TLSv1_2
    old = tls_context(None, TlsVersion.V1_0)
    assert old.minimum_version is ssl.TLSVersion.TLSv1
    assert (old.verify_mode, old.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert tls_context(None, TlsVersion.V1_3).minimum_version is ssl.TLSVersion.TLSv1_3
    assert tls_context(None).minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("url", "excepted"),
    [
        ("https://old.test/x", True),
        ("https://OLD.test:8443/x", True),
        ("https://old.test.evil.test/x", False),
        ("https://older.test/x", False),
        ("https://pool.test/old.test/", False),
    ],
)
def test_an_exception_is_for_one_host_only(url: str, excepted: bool) -> None:
    old = tls_context(None, TlsVersion.V1_0)
    with HttpSession(tls_context(None), TimeLimits(), {"old.test": old}) as session:
        adapter = session._session.get_adapter(url)
        assert (adapter._tls is old) == excepted
