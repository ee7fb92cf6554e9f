"""Our NTLM against published vectors, and against pyspnego's independent one.

[MS-NLMP] 4.2.4 has the small ones. The large one was recorded between Office Communicator 2007 R2
and its server; pidgin-sipe's tests have published it.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spnego._ntlm_raw import crypto
from spnego._ntlm_raw.md4 import md4 as other_md4
from spnego._ntlm_raw.messages import Authenticate

from usbprov.errors import RegistrarAnswerInvalid
from usbprov.registrar.md4 import md4
from usbprov.registrar.ntlm import NEEDED, Account, Draw, Ntlm, SessionSecurity, respond
from usbprov.registrar.ntlm_messages import Flag, NotNtlm, NtlmChallenge, parse_challenge

CHALLENGE = bytes.fromhex(
    "4E544C4D53535000020000000000000038000000F38298E2DD1BAAF4E7E218D1000000000000000096009600"
    "380000000502CE0E0000000F02000A0043004F0053004D004F000100180043004F0053004D004F002D004F00"
    "430053002D00520032000400160063006F0073006D006F002E006C006F00630061006C000300300063006F00"
    "73006D006F002D006F00630073002D00720032002E0063006F0073006D006F002E006C006F00630061006C00"
    "0500160063006F0073006D006F002E006C006F00630061006C0000000000"
)
REQUEST = (
    b"<NTLM><13317733><1><SIP Communications Service><cosmo-ocs-r2.cosmo.local>"
    b"<4037df9284354df39065195bd57a4b14><3><REGISTER><sip:user@cosmo.local><3e49177a52>"
    b"<sip:user@cosmo.local><><><><>"
)
ANSWER = (
    b"<NTLM><9616454F><1><SIP Communications Service><cosmo-ocs-r2.cosmo.local>"
    b"<4037df9284354df39065195bd57a4b14><3><REGISTER><sip:user@cosmo.local><3e49177a52>"
    b"<sip:user@cosmo.local><5E61CCD925D17E043D9A74835A88F664><><><7200><200>"
)
RECORDED_FLAGS = 0x62988255


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"message digest", "d9130a8164549fe818874806e1c7014b"),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4_is_that_of_rfc_1320(text: bytes, digest: str) -> None:
    assert md4(text).hex() == digest


@given(st.binary(max_size=300))
def test_md4_is_that_of_another_implementation(data: bytes) -> None:
    assert md4(data) == other_md4(data)


def test_the_response_is_that_of_the_specification() -> None:
    """[MS-NLMP] 4.2.4.1 and 4.2.4.2."""
    account = Account.of("Domain\\User")
    secret = account.secret("Password")
    assert secret.hex() == "0c868a403bfd7a93a3001ef22ef02e3f"
    info = bytes.fromhex(
        "02000c0044006f006d00610069006e0001000c005300650072007600650072000000" + "0000"
    )
    challenge = NtlmChallenge(0xE28A8233, bytes.fromhex("0123456789abcdef"), info, b"")
    draw = Draw(b"\xaa" * 8, b"\x55" * 16, bytes(8))
    answer, key = respond(challenge, account, secret, draw)
    assert answer.nt_response[:16].hex() == "68cd0ab851e51c96aabc927bebef6a1c"
    assert answer.lm_response[:16].hex() == "86c35097ac9cec102554764a57cccc19"
    assert answer.session_key.hex() == "c5dad2544fc9799094ce1ce90bc9d03e"
    assert key == b"\x55" * 16


def recorded() -> tuple[Account, NtlmChallenge, bytes]:
    account = Account.of("COSMO\\User")
    return account, parse_challenge(CHALLENGE), account.secret("Pa$$word")


def recorded_key() -> bytes:
    """Return the session key of the recording, out of what was sent encrypted."""
    account, challenge, secret = recorded()
    draw = Draw(bytes.fromhex("D6AE875CB0FDAA41"), bytes(16), bytes.fromhex("59519A1727B9CA01"))
    answer, _ = respond(challenge, account, secret, draw)
    base = crypto.hmac_md5(secret, answer.nt_response[:16])
    return crypto.rc4k(base, bytes.fromhex("31CB739E1CA80A498591E8AE797115E4"))


def test_the_response_is_that_of_the_recording() -> None:
    account, challenge, secret = recorded()
    draw = Draw(bytes.fromhex("D6AE875CB0FDAA41"), bytes(16), bytes.fromhex("59519A1727B9CA01"))
    answer, _ = respond(challenge, account, secret, draw)
    assert answer.nt_response[:16].hex() == "8dc0c800ae76eca606d2b9fbebd04731"
    assert answer.lm_response.hex() == "a1e92efe4e078bf7c5c0049acc6166c2d6ae875cb0fdaa41"


def test_both_signatures_are_those_of_the_recording() -> None:
    security = SessionSecurity(recorded_key(), RECORDED_FLAGS)
    assert security.own(REQUEST).hex() == "0100000029618e9651b65a7764000000"
    assert security.servers(ANSWER).hex() == "01000000e615438a917661be64000000"


def test_a_message_can_be_read_by_another_implementation() -> None:
    ntlm = Ntlm("COSMO\\User", "Pa$$word", "ocs")
    token = ntlm.step(CHALLENGE)
    assert token is not None
    read = Authenticate.unpack(token)
    assert (read.domain_name, read.user_name) == ("COSMO", "User")
    assert read.flags & NEEDED == NEEDED
    assert read.nt_challenge_response is not None
    secret = crypto.ntowfv2("User", crypto.ntowfv1("Pa$$word"), "COSMO")
    blob = read.nt_challenge_response[16:]
    nonce = bytes.fromhex("DD1BAAF4E7E218D1")
    assert read.nt_challenge_response[:16] == crypto.hmac_md5(secret, nonce + blob)


def test_a_realm_is_part_of_the_account() -> None:
    assert Account.of("alice@contoso.test") == Account("", "alice@contoso.test")


def test_the_servers_time_is_taken_and_no_lm_response_given() -> None:
    info = b"\x07\x00\x08\x00" + b"\x01" * 8 + bytes(4)
    head = CHALLENGE[:40] + len(info).to_bytes(2, "little") * 2 + (56).to_bytes(4, "little")
    ntlm = Ntlm("a@b", "p", "ocs")
    token = ntlm.step(head + CHALLENGE[48:56] + info)
    assert token is not None
    read = Authenticate.unpack(token)
    assert read.lm_challenge_response == bytes(24)
    assert read.nt_challenge_response is not None
    assert read.nt_challenge_response[24:32] == b"\x01" * 8


@pytest.mark.parametrize("flag", list(NEEDED))
def test_weaker_ntlm_is_refused(flag: Flag) -> None:
    flags = int.from_bytes(CHALLENGE[20:24], "little") & ~flag
    weak = CHALLENGE[:20] + flags.to_bytes(4, "little") + CHALLENGE[24:]
    with pytest.raises(RegistrarAnswerInvalid, match=str(flag.name)):
        Ntlm("a@b", "p", "ocs").step(weak)


@pytest.mark.parametrize("size", range(len(CHALLENGE)))
def test_a_challenge_that_is_cut_off_is_refused(size: int) -> None:
    with pytest.raises(NotNtlm):
        parse_challenge(CHALLENGE[:size])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_challenge_or_refused(data: bytes) -> None:
    for token in (data, CHALLENGE[:40] + data):
        try:
            parse_challenge(token)
        except NotNtlm:
            continue


def test_no_repr_shows_what_is_secret() -> None:
    _, challenge, secret = recorded()
    draw = Draw.fresh(challenge)
    answer, key = respond(challenge, Account.of("a@b"), secret, draw)
    shown = repr((draw, answer, SessionSecurity(key, 0), SessionSecurity(key, 0)._own))
    for value in (secret, key, answer.nt_response, answer.session_key):
        assert repr(value)[2:-1] not in shown
