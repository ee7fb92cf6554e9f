"""Keys, requests, certificates and chains."""

import contextlib
import hashlib
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from doubles.services import ROOT, SERVER, certify
from hypothesis import given
from hypothesis import strategies as st

from usbprov.errors import ObjectUnreadable
from usbprov.pki.certificates import (
    common_names,
    load_certificate,
    load_pem_certificates,
    summarise,
    thumbprint,
    to_der,
    to_pem,
)
from usbprov.pki.chains import is_issued_by, is_root
from usbprov.pki.keys import from_pkcs8, generate_rsa, key_digest, to_pkcs8
from usbprov.pki.requests import build_request, load_request

KEY = generate_rsa()


def test_key_round_trip() -> None:
    again = from_pkcs8(to_pkcs8(KEY))
    assert again.private_numbers() == KEY.private_numbers()
    spki = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key_digest(again.public_key()) == hashlib.sha256(spki).hexdigest()


def test_only_rsa_keys_are_taken() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    der = other.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ObjectUnreadable):
        from_pkcs8(der)


@given(st.binary(max_size=64))
def test_no_key_at_all(junk: bytes) -> None:
    with pytest.raises(ObjectUnreadable):
        from_pkcs8(junk)


def test_request_has_one_common_name_and_no_extensions() -> None:
    request = load_request(build_request(KEY, "alice@contoso.test"))
    assert request.subject.rfc4514_string() == "CN=alice@contoso.test"
    assert list(request.extensions) == []
    assert isinstance(request.signature_hash_algorithm, hashes.SHA256)
    assert key_digest(request.public_key()) == key_digest(KEY.public_key())


@given(st.data())
def test_a_request_with_one_bit_changed_is_refused(data: st.DataObject) -> None:
    der = bytearray(build_request(KEY, "alice@contoso.test"))
    bit = data.draw(st.integers(0, len(der) * 8 - 1))
    der[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ObjectUnreadable):
        load_request(bytes(der))


def test_a_request_for_another_kind_of_key_is_refused() -> None:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    with pytest.raises(ObjectUnreadable, match="RSA"):
        load_request(request.public_bytes(Encoding.DER))


def test_summary() -> None:
    certificate = certify("Services", KEY, "alice@contoso.test", KEY.public_key())
    summary = summarise(load_certificate(to_der(certificate)))
    assert summary.sha256 == hashlib.sha256(to_der(certificate)).hexdigest()
    assert summary.sha1 == hashlib.sha1(to_der(certificate)).hexdigest()  # noqa: S324
    assert (summary.subject, summary.issuer) == ("CN=alice@contoso.test", "CN=Services")
    assert summary.not_before < datetime.now(UTC) < summary.not_after
    assert common_names(certificate) == ["alice@contoso.test"]


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(st.data())
def test_a_certificate_with_one_bit_changed_is_an_error_or_another_one(data: st.DataObject) -> None:
    der = bytearray(to_der(SERVER))
    bit = data.draw(st.integers(0, len(der) * 8 - 1))
    der[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(ObjectUnreadable):
        assert thumbprint(load_certificate(bytes(der))) != thumbprint(SERVER)


def test_pem_round_trip() -> None:
    assert load_pem_certificates(to_pem([ROOT, SERVER])) == [ROOT, SERVER]
    with pytest.raises(ObjectUnreadable):
        load_pem_certificates(b"no certificate here")
    with pytest.raises(ObjectUnreadable):
        load_certificate(b"\x30\x00")


def test_an_issuer_is_known_by_name_and_signature() -> None:
    middle_key = generate_rsa()
    root = certify("Root", KEY, "Root", KEY.public_key())
    middle = certify("Root", KEY, "Middle", middle_key.public_key())
    leaf = certify("Middle", middle_key, "leaf", KEY.public_key())
    same_name = certify("Root", middle_key, "Middle", KEY.public_key())
    assert is_root(root)
    assert not is_root(middle)
    assert not is_issued_by(leaf, same_name)
    assert is_issued_by(leaf, middle)
    assert not is_issued_by(leaf, root)
    assert thumbprint(root) != thumbprint(middle)
