"""Keys and signatures of TLS-DSK against the vectors of protocol.md 7.3 and 7.4, both ways."""

import pytest

from usbprov.registrar.message import Headers, Request, Response, parse_head
from usbprov.registrar.signature import Frame, signed_text
from usbprov.registrar.tls_dsk import LABEL, SigningKeys
from usbprov.registrar.tlslite_names import TLSConnection

MASTER = bytes(range(0x30))
OURS, THEIRS = b"\x11" * 32, b"\x22" * 32
REALM = "SIP Communications Service"
TARGET = "lyncfe01.contoso.com"
CALL_ID = "d5f2b95d5be64c2cbfb38aa5d3a87ae7"
TLS10 = {
    "client": "7db5b73956f827779c14a889051cceeff590bb12af8df2db2edfcfbbb707d344",
    "server": "9e9c4697e5e1c800beb9085490222fb3c60ecd075090850f2d199394c99d3e03",
}
TLS12 = {
    "client": "940502bee3d46d527e83eeecba373c3c73808ab75e7376f3eff643eb149dcd2d",
    "server": "8038dbd140ec3dda38eb8cd94e5c1e92fb98bbde38983aa2d3dd2e0eab9beaf8",
}
REQUEST_TEXT = (
    b"<TLS-DSK><0878f41b><1><SIP Communications Service><lyncfe01.contoso.com>"
    b"<d5f2b95d5be64c2cbfb38aa5d3a87ae7><4><REGISTER><sip:alice@contoso.com><22fafb15b8>"
    b"<sip:alice@contoso.com><><><><>"
)
ANSWER_TEXT = (
    b"<TLS-DSK><1B6D47A1><1><SIP Communications Service><lyncfe01.contoso.com>"
    b"<d5f2b95d5be64c2cbfb38aa5d3a87ae7><4><REGISTER><sip:alice@contoso.com><22fafb15b8>"
    b"<sip:alice@contoso.com><9588410E2DA11CEE9D0AE7733E07830F><><><7200><200>"
)
FROM = "<sip:alice@contoso.com>;tag=22fafb15b8;epid=2ebb6f264f"
SHARED = (("Call-ID", CALL_ID), ("CSeq", "4 REGISTER"), ("From", FROM))
REQUEST = Request(
    "REGISTER", "sip:contoso.com", Headers((*SHARED, ("To", "<sip:alice@contoso.com>")))
)
ANSWER = Response(
    200,
    "OK",
    Headers(
        (
            *SHARED,
            ("To", "<sip:alice@contoso.com>;tag=9588410E2DA11CEE9D0AE7733E07830F"),
            ("Expires", "7200"),
        )
    ),
)


class _Session:
    masterSecret = bytearray(MASTER)  # noqa: N815
    cipherSuite = 0x002F  # noqa: N815


def exported(version: tuple[int, int]) -> bytes:
    """Export from a connection of the library that has the vector's secrets."""
    tls = TLSConnection(None)
    tls.version = version
    tls.session = _Session()
    tls._clientRandom, tls._serverRandom = bytearray(OURS), bytearray(THEIRS)
    return bytes(tls.keyingMaterialExporter(LABEL, 128))


@pytest.mark.parametrize(("version", "keys"), [((3, 1), TLS10), ((3, 2), TLS10), ((3, 3), TLS12)])
def test_the_keys_are_those_of_the_vectors(version, keys) -> None:
    material = exported(version)
    assert material[64:96].hex() == keys["client"]
    assert material[96:128].hex() == keys["server"]


def test_the_request_is_signed_as_in_the_vector() -> None:
    keys = SigningKeys(exported((3, 1)))
    frame = Frame("TLS-DSK", REALM, TARGET, 4, "0878f41b", "1")
    assert signed_text(REQUEST, frame) == REQUEST_TEXT
    assert keys.sign(REQUEST_TEXT) == "BD459426201F6900DF65FE50A5013D7735A0556F"


@pytest.mark.parametrize("turned", [str.lower, str.upper])
def test_the_answer_is_verified_as_in_the_vector(turned) -> None:
    keys = SigningKeys(exported((3, 1)))
    frame = Frame("TLS-DSK", REALM, TARGET, 4, "1B6D47A1", "1")
    assert signed_text(ANSWER, frame) == ANSWER_TEXT
    assert keys.verify(ANSWER_TEXT, turned("54b7e4bc4e6200782519220969b8a102d7ce59bd"))


def test_each_side_has_a_key_of_its_own() -> None:
    keys = SigningKeys(exported((3, 1)))
    assert not keys.verify(ANSWER_TEXT, keys.sign(ANSWER_TEXT))


def test_an_old_protocol_signs_less() -> None:
    frame = Frame("NTLM", REALM, "ocs1", 2, "0878F41B", "1")
    text = signed_text(ANSWER, frame).decode()
    tag = "9588410E2DA11CEE9D0AE7733E07830F"
    assert text.endswith(f"<sip:alice@contoso.com><22fafb15b8><{tag}><7200><200>")


_ASSERTED, _PREFERRED = "P-Asserted-Identity", "P-Preferred-Identity"


@pytest.mark.parametrize(
    ("identity", "signed"),
    [
        (f"{_ASSERTED}: <SIP:bob@contoso.com>", "<SIP:bob@contoso.com><>"),
        (f'{_ASSERTED}: "Bob, B." <sip:b@c>,<tel:+1;ext=2>', "<sip:b@c><tel:+1;ext=2>"),
        (f"{_PREFERRED}: <tel:+1425>", "<><tel:+1425>"),
        (f"{_ASSERTED}: <tel:+1>\r\n{_ASSERTED}: <sip:b@c>", "<sip:b@c><tel:+1>"),
    ],
)
def test_the_asserted_identity_is_signed_as_it_stands(identity: str, signed: str) -> None:
    head = f"SIP/2.0 180 Ringing\r\nTo: <sip:bob@contoso.com>;tag=7aee\r\n{identity}"
    text = signed_text(parse_head(head.encode()), Frame("NTLM", REALM, TARGET, 4, "1B", "11"))
    assert text.decode().endswith(f"<sip:bob@contoso.com><7aee>{signed}<><180>")
