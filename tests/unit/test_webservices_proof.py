"""The proof key and the signed header, against the sheet's vectors and an outside check."""

import hashlib
import hmac
from base64 import b64decode, b64encode

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from usbprov.webservices.proof import p_sha1, signature, timestamp

WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
KEY = bytes.fromhex("2f738c0d36c86c17dc1c0c4578d6a194847b817095b34c840403604f0947ac4c")
CHILDREN_A = (
    f'<Created xmlns="{WSU}">2012-05-01T08:00:00Z</Created>'
    f'<Expires xmlns="{WSU}">2012-05-01T16:00:00Z</Expires>'
).encode()
CHILDREN_B = (
    b"<wsu:Created>2012-05-01T08:00:00Z</wsu:Created>"
    b"<wsu:Expires>2012-05-01T16:00:00Z</wsu:Expires>"
)


def values_of(header: bytes) -> tuple[str | None, str | None]:
    root = etree.fromstring(header)
    return root.findtext(f".//{DS}DigestValue"), root.findtext(f"{DS}SignatureValue")


def test_key_derivation_matches_the_vector() -> None:
    assert p_sha1(bytes(range(32)), bytes(range(0x80, 0xA0))) == KEY


def test_key_is_the_beginning_of_one_stream() -> None:
    long = p_sha1(b"secret", b"seed", 100)
    assert [p_sha1(b"secret", b"seed", n) for n in (0, 1, 20, 21, 99)] == [
        long[:n] for n in (0, 1, 20, 21, 99)
    ]


def test_timestamp_with_default_namespaces_matches_vector_a() -> None:
    assert values_of(signature(timestamp(CHILDREN_A), KEY, "id")) == (
        "CxdcKgujq4e7NvhYmCX5WMhaniE=",
        "YcwgCgWLpD0ZGrm3pKBn2d66R+4=",
    )


def test_timestamp_with_prefixes_matches_vector_b() -> None:
    assert values_of(signature(timestamp(CHILDREN_B), KEY, "id")) == (
        "lkoZxI1F6Krf68tWazQJuvrHZzg=",
        "wmf7AXrCV2ztGnpinHvMmohmxwc=",
    )


def test_assertion_id_is_named_in_the_key_info() -> None:
    root = etree.fromstring(signature(timestamp(CHILDREN_B), KEY, "SamlSecurityToken-1"))
    info = root.find(f"{DS}KeyInfo")
    assert info is not None
    reference = info[0]
    wsse = etree.QName(reference).namespace
    assert reference.get(f"{{{wsse}}}TokenType", "").endswith("saml-token-profile-1.1#SAMLV1.1")
    assert [child.text for child in reference] == ["SamlSecurityToken-1"]


@given(
    space=st.text(alphabet=" \t\r\n", max_size=4),
    created=st.text(alphabet="0123456789-:TZ&<\"'é", min_size=1, max_size=30),
    key=st.binary(min_size=16, max_size=32),
)
def test_signature_verifies_within_an_envelope_by_canonicalisation(
    space: str, created: str, key: bytes
) -> None:
    text = created.replace("&", "&amp;").replace("<", "&lt;")
    stamp = timestamp(f"{space}<wsu:Created >{text}</wsu:Created>{space}".encode())
    header = stamp + signature(stamp, key, "id")
    envelope = etree.fromstring(b'<e:E xmlns:e="urn:e" xmlns:x="urn:x">' + header + b"</e:E>")
    stamp_element, signed = envelope[0], envelope[1]
    info = signed.find(f"{DS}SignedInfo")
    assert info is not None
    canonical_stamp = etree.tostring(stamp_element, method="c14n", exclusive=True)
    canonical_info = etree.tostring(info, method="c14n", exclusive=True)
    digest, value = values_of(etree.tostring(signed))
    digested = hashlib.sha1(canonical_stamp, usedforsecurity=False).digest()
    assert digest == b64encode(digested).decode()
    assert b64decode(value or "") == hmac.digest(key, canonical_info, "sha1")
