"""Keys and signatures of TLS-DSK and NTLM, against the published vectors."""

import pytest

from usbprov.lab.registrar.keys import DskKeys, Session, derive_keys, signature
from usbprov.lab.registrar.md4 import md4
from usbprov.lab.registrar.ntlm import (
    Flag,
    NtlmError,
    ntowf_v2,
    pairs,
    read_authenticate,
    session_keys,
    verify_proof,
)
from usbprov.lab.registrar.prf import prf
from usbprov.lab.registrar.signatures import Signed
from usbprov.lab.registrar.sip import Request
from usbprov.lab.registrar.values import parse_credentials

MASTER, CLIENT, SERVER = bytes(range(48)), b"\x11" * 32, b"\x22" * 32
TLS10 = DskKeys(
    bytes.fromhex("7db5b73956f827779c14a889051cceeff590bb12af8df2db2edfcfbbb707d344"),
    bytes.fromhex("9e9c4697e5e1c800beb9085490222fb3c60ecd075090850f2d199394c99d3e03"),
)
TLS12 = DskKeys(
    bytes.fromhex("940502bee3d46d527e83eeecba373c3c73808ab75e7376f3eff643eb149dcd2d"),
    bytes.fromhex("8038dbd140ec3dda38eb8cd94e5c1e92fb98bbde38983aa2d3dd2e0eab9beaf8"),
)


@pytest.mark.parametrize(("version", "keys"), [(0x0301, TLS10), (0x0302, TLS10), (0x0303, TLS12)])
def test_keys(version: int, keys: DskKeys):
    assert derive_keys(Session(version, MASTER, CLIENT, SERVER)) == keys


def test_keys_are_not_shown():
    session = Session(0x0303, MASTER, CLIENT, SERVER)
    for shown in (repr(session), repr(derive_keys(session))):
        assert "\\x00\\x01" not in shown
        assert "\\x94" not in shown


def test_the_function_of_tls12():
    """The vector that the IETF's TLS working group published for P_SHA256."""
    made = prf(
        0x0303,
        bytes.fromhex("9bbe436ba940f017b17652849a71db35"),
        b"test label",
        bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c"),
        100,
    )
    assert made.hex() == (
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a"
        "6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab"
        "4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
        "87347b66"
    )


def request(**changes: str) -> Request:
    headers = {
        "from": "<sip:alice@contoso.com>;tag=22fafb15b8;epid=2ebb6f264f",
        "to": "<sip:alice@contoso.com>",
        "call-id": "d5f2b95d5be64c2cbfb38aa5d3a87ae7",
        "cseq": "4 REGISTER",
    } | changes
    return Request("REGISTER", "sip:contoso.com", tuple(headers.items()))


def signed(version: int = 4) -> Signed:
    return Signed("TLS-DSK", "SIP Communications Service", "lyncfe01.contoso.com", version)


CREDENTIALS = parse_credentials('TLS-DSK crand="0878f41b", cnum="1"')


def test_a_requests_signature():
    text = signed().of_request(request(), CREDENTIALS)
    assert text == (
        "<TLS-DSK><0878f41b><1><SIP Communications Service><lyncfe01.contoso.com>"
        "<d5f2b95d5be64c2cbfb38aa5d3a87ae7><4><REGISTER><sip:alice@contoso.com><22fafb15b8>"
        "<sip:alice@contoso.com><><><><>"
    )
    assert signature(TLS10.client, text).upper() == "BD459426201F6900DF65FE50A5013D7735A0556F"


def test_a_responses_signature():
    to = "<sip:alice@contoso.com>;tag=9588410E2DA11CEE9D0AE7733E07830F"
    text = signed().of_response(("1B6D47A1", 1), request(), to, "7200", 200)
    assert signature(TLS10.server, text) == "54b7e4bc4e6200782519220969b8a102d7ce59bd"


def test_who_a_request_says_it_is_from_and_for_how_long_is_signed():
    identity = '"Alice" <sip:alice@contoso.com>, <tel:+14255550100>'
    text = signed().of_request(
        request(**{"p-preferred-identity": identity, "expires": "0"}), CREDENTIALS
    )
    assert text.endswith("<sip:alice@contoso.com><><sip:alice@contoso.com><tel:+14255550100><0>")


def test_an_old_version_leaves_fields_out():
    text = signed(2).of_request(request(expires="900"), CREDENTIALS)
    assert text.endswith("<REGISTER><sip:alice@contoso.com><22fafb15b8><><900>")


# --- NTLM --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4(data: bytes, digest: str):
    """RFC 1320 A.5."""
    assert md4(data).hex() == digest


def test_the_vectors_of_the_specification():
    """[MS-NLMP] 4.2.4: the hash of the password, and the keys of the client's direction."""
    assert ntowf_v2("Password", "User", "Domain").hex() == "0c868a403bfd7a93a3001ef22ef02e3f"
    keys = session_keys(b"\x55" * 16, Flag.STRONG | Flag.KEY_EXCHANGE, "client", "server")
    assert keys.signing.hex() == "4788dc861b4782f35d43fd98fe1a2d39"
    assert keys.sealing.hex() == "59f600973cc4960a25480a7c196e4c58"


# A sign-in of Communicator 2007 R2 at a real server, with a password that was published with it.
CHALLENGE = bytes.fromhex("dd1baaf4e7e218d1")
AUTHENTICATE = bytes.fromhex(
    "4e544c4d53535000030000001800180072000000c600c6008a0000000a000a0048000000080008005200000018"
    "0018005a0000001000100050010000558298620502ce0e0000000f43004f0053004d004f005500730065007200"
    "43004f0053004d004f002d004f00430053002d0052003200a1e92efe4e078bf7c5c0049acc6166c2d6ae875cb0"
    "fdaa418dc0c800ae76eca606d2b9fbebd04731010100000000000059519a1727b9ca01d6ae875cb0fdaa410000"
    "000002000a0043004f0053004d004f000100180043004f0053004d004f002d004f00430053002d005200320004"
    "00160063006f0073006d006f002e006c006f00630061006c000300300063006f0073006d006f002d006f006300"
    "73002d00720032002e0063006f0073006d006f002e006c006f00630061006c000500160063006f0073006d006f"
    "002e006c006f00630061006c00000000000000000031cb739e1ca80a498591e8ae797115e4"
)
START = "<SIP Communications Service><cosmo-ocs-r2.cosmo.local><4037df9284354df39065195bd57a4b14>"
WHO = "<3><REGISTER><sip:user@cosmo.local><3e49177a52><sip:user@cosmo.local>"


def test_a_real_clients_and_servers_signatures():
    sent = read_authenticate(AUTHENTICATE)
    assert (sent.domain, sent.user, sent.has_mic) == ("COSMO", "User", False)
    client, server = verify_proof(sent, CHALLENGE, "Pa$$word", b"")
    asked = f"<NTLM><13317733><1>{START}{WHO}<><><><>"
    assert client.sign(asked.encode()).hex() == "0100000029618e9651b65a7764000000"
    answered = f"<NTLM><9616454F><1>{START}{WHO}<5E61CCD925D17E043D9A74835A88F664><><><7200><200>"
    assert server.sign(answered.encode()).hex() == "01000000e615438a917661be64000000"


@pytest.mark.parametrize("password", ["", "pa$$word", "Pa$$word "])
def test_a_wrong_password(password: str):
    with pytest.raises(NtlmError, match="proof"):
        verify_proof(read_authenticate(AUTHENTICATE), CHALLENGE, password, b"")


@pytest.mark.parametrize("at", range(len(AUTHENTICATE)))
def test_a_message_that_breaks_off_is_refused(at: int):
    with pytest.raises(NtlmError):
        read_authenticate(AUTHENTICATE[:at])


@pytest.mark.parametrize("flag", [Flag.DATAGRAM, Flag.UNICODE, Flag.EXTENDED_SESSION_SECURITY])
def test_what_is_needed_for_signing_cannot_be_left_out(flag: Flag):
    message = bytearray(AUTHENTICATE)
    flags = int.from_bytes(message[60:64], "little") & ~flag
    message[60:64] = flags.to_bytes(4, "little")
    with pytest.raises(NtlmError, match="flags"):
        read_authenticate(bytes(message))


def test_damaged_pairs_end_where_they_break_off():
    assert pairs(bytes.fromhex("06000400020000000100ff00aa")) == {6: b"\2\0\0\0", 1: b"\xaa"}


def test_nothing_secret_is_shown():
    sent = read_authenticate(AUTHENTICATE)
    keys = verify_proof(sent, CHALLENGE, "Pa$$word", b"")
    shown = repr((sent, keys))
    assert "proof" not in shown
    assert "signing" not in shown
