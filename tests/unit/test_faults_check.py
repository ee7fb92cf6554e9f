"""The check of what came back: key, user, times by two clocks, algorithm and size."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from usbprov.engine.job import Job
from usbprov.engine.order import KeySource
from usbprov.engine.steps.check import CheckStep
from usbprov.errors import CertificateUnfit, ObjectUnreadable
from usbprov.pki.certificates import load_certificate, to_der, user_addresses
from usbprov.pki.keys import generate_rsa, key_digest

KEY = generate_rsa()
UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
MD5_OID = bytes.fromhex("06092a864886f70d010104")
SHA1_OID = bytes.fromhex("06092a864886f70d010105")
SHA256_OID = bytes.fromhex("06092a864886f70d01010b")


def certificate(
    *names: x509.GeneralName,
    subject: str = "alice@contoso.test",
    start: timedelta = timedelta(minutes=-5),
    length: timedelta = timedelta(days=180),
    key: rsa.RSAPrivateKey = KEY,
) -> bytes:
    begin = datetime.now(UTC) + start
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(begin)
        .not_valid_after(begin + length)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return to_der(builder.sign(key, hashes.SHA256()))


def job(der: bytes, **facts: Any) -> Job:
    """Return as much of a job as the step asks for."""
    clock = facts.pop("clock", datetime.now(UTC))
    known = {
        "certificate": der,
        "key_sha256": key_digest(KEY.public_key()),
        "user": "sip:alice@contoso.test",
        "key_source": KeySource.PHONE,
        "phone": SimpleNamespace(read_clock=lambda: clock),
    }
    found: Any = SimpleNamespace(**known | facts)
    return found


def problem(der: bytes, **facts: Any) -> str:
    with pytest.raises(CertificateUnfit) as caught:
        CheckStep().run(job(der, **facts))
    return caught.value.problem


def test_a_good_certificate_passes_without_a_warning() -> None:
    learnt = CheckStep().run(job(certificate()))
    assert learnt.startswith("for this key and user, valid until ")
    assert "warning" not in learnt


def test_another_key_is_refused() -> None:
    assert "another key" in problem(certificate(key=generate_rsa()))


# --- user --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        ("ALICE@contoso.TEST", []),
        ("Alice Adams", [x509.RFC822Name("alice@contoso.test")]),
        ("Alice Adams", [x509.UniformResourceIdentifier("sip:alice@contoso.test")]),
        ("0123456789", [x509.OtherName(UPN, b"\x0c\x12alice@contoso.test")]),
        ("bob@contoso.test", [x509.RFC822Name("alice@contoso.test")]),
        ("Alice Adams", [x509.DNSName("contoso.test")]),
        ("no address at all", []),
    ],
)
def test_the_user_may_be_named_in_any_of_these_ways(
    subject: str, names: list[x509.GeneralName]
) -> None:
    assert CheckStep().run(job(certificate(*names, subject=subject)))


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        ("mallory@contoso.test", []),
        ("Alice Adams", [x509.RFC822Name("mallory@contoso.test")]),
        ("Alice Adams", [x509.UniformResourceIdentifier("sip:mallory@contoso.test")]),
        ("x", [x509.OtherName(UPN, b"\x0c\x14mallory@contoso.test")]),
        ("alice@contoso.test.evil.test", []),
    ],
)
def test_another_user_is_refused(subject: str, names: list[x509.GeneralName]) -> None:
    assert "not for alice@contoso.test" in problem(certificate(*names, subject=subject))


def test_damaged_extensions_are_an_error_of_the_tree() -> None:
    good = certificate(x509.RFC822Name("alice@contoso.test"))
    at = good.index(bytes.fromhex("0603551d11")) + 7  # the extension's content begins here
    with pytest.raises(ObjectUnreadable):
        user_addresses(load_certificate(good[:at] + b"\xff" + good[at + 1 :]))


# --- times -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "length", "words"),
    [
        (timedelta(days=-365), timedelta(days=30), "not valid now"),
        (timedelta(hours=2), timedelta(days=30), "not valid now"),
        (timedelta(minutes=-5), timedelta(minutes=36), "valid for 3"),
    ],
)
def test_times_are_compared_with_this_computers_clock(
    start: timedelta, length: timedelta, words: str
) -> None:
    assert words in problem(certificate(start=start, length=length))


def test_a_beginning_that_is_a_few_seconds_off_is_borne() -> None:
    assert CheckStep().run(job(certificate(start=timedelta(seconds=20))))
    assert CheckStep().run(job(certificate(), clock=datetime.now(UTC) - timedelta(seconds=310)))


@pytest.mark.parametrize("days", [-400, -1, 200])
def test_times_are_compared_with_the_phones_clock(days: int) -> None:
    clock = datetime.now(UTC) + timedelta(days=days)
    assert "the phone's clock" in problem(certificate(), clock=clock)


def test_a_phone_without_a_clock_is_not_asked_for_its_time() -> None:
    assert CheckStep().run(job(certificate(), clock=None))


# --- algorithms --------------------------------------------------------------------------------


def test_sha1_is_borne_and_told() -> None:
    learnt = CheckStep().run(job(certificate().replace(SHA256_OID, SHA1_OID)))
    assert "warning: it is signed with SHA-1" in learnt


@pytest.mark.parametrize("oid", [MD5_OID, bytes.fromhex("06092a864886f70d01017f")])
def test_md5_and_unknown_algorithms_are_refused(oid: bytes) -> None:
    der = certificate().replace(SHA256_OID, oid)
    assert "MD5 or an unknown algorithm" in problem(der)


@pytest.fixture(scope="module")
def short() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # noqa: S505 - on purpose


def test_a_short_key_is_refused(short: rsa.RSAPrivateKey) -> None:
    digest = key_digest(short.public_key())
    assert "less than 2048 bits" in problem(certificate(key=short), key_sha256=digest)


def test_a_short_key_that_was_asked_for_is_borne_and_told(short: rsa.RSAPrivateKey) -> None:
    facts = {"key_sha256": key_digest(short.public_key()), "key_source": KeySource.EXISTING}
    learnt = CheckStep().run(job(certificate(key=short), **facts))
    assert "warning: the phone's present key has less than 2048 bits" in learnt
