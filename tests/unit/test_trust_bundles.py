"""Files with certificates: every form is told by its bytes, and hostile ones end in one error."""

import base64
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from doubles.certificates import issue, server
from hypothesis import given
from hypothesis import strategies as st

from usbprov.errors import ObjectUnreadable
from usbprov.pki import bundles
from usbprov.pki.bundles import load_bundle
from usbprov.pki.certificates import shown_name, to_der, to_pem
from usbprov.pki.keys import generate_rsa, to_pkcs8

ROOT = issue("Root").certificate
MIDDLE = issue("Middle", issue("Root")).certificate
BOTH = [ROOT, MIDDLE]
P7B_DER = pkcs7.serialize_certificates(BOTH, Encoding.DER)
P7B_PEM = pkcs7.serialize_certificates(BOTH, Encoding.PEM)
BARE = base64.b64encode(P7B_DER)

FORMS = {
    "PEM": to_pem(BOTH),
    "PEM with text around": b"# our roots\r\n" + to_pem(BOTH).replace(b"\n", b"\r\n") + b"bye",
    "PEM with one twice": to_pem([*BOTH, ROOT]),
    "PKCS#7 in DER": P7B_DER,
    "PKCS#7 in PEM": P7B_PEM,
    "PKCS#7 in base64": BARE,
    "PKCS#7 in base64 lines": b"\r\n".join(BARE[at : at + 64] for at in range(0, len(BARE), 64)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_its_certificates(form: str) -> None:
    assert set(load_bundle(FORMS[form], "the file")) == set(BOTH)
    assert len(load_bundle(FORMS[form], "the file")) == 2


def test_one_certificate_in_der_or_bare_base64() -> None:
    assert load_bundle(to_der(ROOT), "the file") == [ROOT]
    assert load_bundle(base64.encodebytes(to_der(ROOT)), "the file") == [ROOT]


def test_what_openssl_writes(tmp_path: Path) -> None:
    (tmp_path / "both.pem").write_bytes(to_pem(BOTH))
    for form in ("DER", "PEM"):
        command = ["openssl", "crl2pkcs7", "-nocrl", "-certfile", "both.pem", "-outform", form]
        made = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
        assert set(load_bundle(made, "the file")) == set(BOTH)


def test_a_private_key_in_the_file_is_passed_over() -> None:
    key = base64.encodebytes(to_pkcs8(generate_rsa()))
    pem = b"-----BEGIN PRIVATE KEY-----\n" + key + b"-----END PRIVATE KEY-----\n"
    assert load_bundle(pem + to_pem([ROOT]), "the file") == [ROOT]
    with pytest.raises(ObjectUnreadable, match="no certificate"):
        load_bundle(pem, "the file")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        to_der(ROOT)[:-1],
        to_der(ROOT) + b"\x00",
        P7B_DER[:-10],
        P7B_DER[:30],
        P7B_PEM.replace(b"M", b"*"),
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        pkcs7.serialize_certificates([ROOT], Encoding.DER).replace(to_der(ROOT), b""),
    ],
)
def test_anything_else_is_one_error_that_names_the_file(data: bytes) -> None:
    with pytest.raises(ObjectUnreadable, match=r"the file root\.p7b"):
        load_bundle(data, "the file root.p7b")


def test_sizes_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MAX_CERTIFICATES", 1)
    for form in ("PEM", "PKCS#7 in DER"):
        with pytest.raises(ObjectUnreadable, match="more than 1 certificates"):
            load_bundle(FORMS[form], "the file")
    with pytest.raises(ObjectUnreadable, match="larger than"):
        load_bundle(bytes(bundles.MAX_BUNDLE + 1), "the file")


@given(st.sampled_from(sorted(FORMS)), st.data())
def test_a_flipped_bit_gives_certificates_or_one_kind_of_error(
    form: str, data: st.DataObject
) -> None:
    bundle = bytearray(FORMS[form])
    bit = data.draw(st.integers(0, len(bundle) * 8 - 1))
    bundle[bit // 8] ^= 1 << bit % 8
    with suppress(ObjectUnreadable):
        assert load_bundle(bytes(bundle), "the file")


@given(st.binary(max_size=200))
def test_junk_behind_the_object_identifier(junk: bytes) -> None:
    with pytest.raises(ObjectUnreadable):
        load_bundle(b"\x30\x82\x01\x00" + bytes.fromhex("06092a864886f70d010702") + junk, "it")


def test_a_name_cannot_steer_a_terminal() -> None:
    hostile = server("\x1b[31mred\r\u202e" + "x" * 30, None).certificate
    assert shown_name(hostile.subject) == "CN=?[31mred??" + "x" * 30
