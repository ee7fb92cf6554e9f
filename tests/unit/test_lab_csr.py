"""PKCS#10 requests as the certificate service takes them."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from lab_parts import key

from usbprov.lab.csr import requested_key


def builder(name="alice@contoso.test"):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return x509.CertificateSigningRequestBuilder().subject_name(subject)


def request(algorithm=None, **options):
    made = builder().sign(key(), algorithm or hashes.SHA256(), **options)
    return made.public_bytes(Encoding.DER)


def resigned(der, version):
    """Write another version, and sign what is then there."""
    changed = bytearray(der)
    assert changed[8:11] == b"\x02\x01\x00"
    changed[10] = version
    end = 8 + int.from_bytes(changed[6:8], "big")
    signature = key().sign(bytes(changed[4:end]), padding.PKCS1v15(), hashes.SHA256())
    return bytes(changed[: -len(signature)]) + signature


DER = request()


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_the_key_of_a_good_request(algorithm):
    assert requested_key(request(algorithm)) == key().public_key()


@pytest.mark.parametrize("version", [1, 2])
def test_another_version_under_a_good_signature(version):
    assert requested_key(resigned(DER, version)) == key().public_key()


def test_a_version_beyond_all_use():
    with pytest.raises(ValueError, match="version"):
        requested_key(resigned(DER, 3))


def test_a_version_that_is_not_what_was_signed():
    changed = bytearray(DER)
    changed[10] = 2
    with pytest.raises(ValueError, match="signature"):
        requested_key(bytes(changed))


def test_a_request_signed_by_another_key():
    theirs = builder().sign(key(1), hashes.SHA256()).public_bytes(Encoding.DER)
    mixed = DER[:-256] + theirs[-256:]
    with pytest.raises(ValueError, match="signature"):
        requested_key(mixed)


def test_a_key_that_is_not_rsa():
    der = builder().sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    with pytest.raises(ValueError, match="not an RSA key"):
        requested_key(der.public_bytes(Encoding.DER))


def test_a_signature_of_another_scheme():
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    with pytest.raises(ValueError, match="signature algorithm"):
        requested_key(request(rsa_padding=pss))


def test_bytes_after_the_request():
    with pytest.raises(ValueError, match="after"):
        requested_key(DER + b"\0")


@given(st.integers(0, len(DER) - 1))
def test_no_part_of_it_is_taken(length):
    with pytest.raises(ValueError):  # noqa: PT011 - it is cut at any place
        requested_key(DER[:length])


@given(st.integers(0, len(DER) * 8 - 1))
def test_no_flipped_bit_is_taken(bit):
    changed = bytearray(DER)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        found = requested_key(bytes(changed))
    except ValueError:
        return
    # Some bits carry no meaning (the NULL of an algorithm's parameters is not signed by all).
    assert found == key().public_key()


@given(st.binary(max_size=64))
def test_arbitrary_bytes_are_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011
        requested_key(data)
