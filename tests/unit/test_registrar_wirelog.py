"""What a log shows of messages: their lines, and nothing that proves a user."""

import pytest

from usbprov.registrar.message import Headers, Request
from usbprov.registrar.wirelog import shown

SECRET = "TlRMTVNTUAADAAAA"


def test_proofs_are_shown_by_their_length() -> None:
    proof = f'NTLM qop="auth", gssapi-data="{SECRET}", crand="1", response="0100{SECRET}"'
    info = f"NTLM RSPAUTH = {SECRET}, srand=1"
    headers = Headers((("Authorization", proof), ("Authentication-Info", info)))
    text = shown(Request("REGISTER", "sip:contoso.com", headers, b"secret"))
    assert SECRET not in text
    assert "secret" not in text
    assert 'gssapi-data="[16 characters]"' in text
    assert "body of 6 bytes" in text
    assert "REGISTER sip:contoso.com SIP/2.0" in text


def test_a_servers_control_characters_do_not_reach_the_log() -> None:
    text = shown(Request("NOTIFY", "sip:a", Headers((("X", "\x1b[31m\tred"),))))
    assert "\x1b" not in text


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["response", "response ", 'response="', " ", "rspauth= "])
def test_nothing_takes_the_log_long(piece: str) -> None:
    value = "response" + piece * (64_000 // len(piece))
    assert shown(Request("NOTIFY", "sip:a", Headers((("X", value),))))
