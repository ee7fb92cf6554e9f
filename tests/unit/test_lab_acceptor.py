"""The acceptor of NTLM and Kerberos tokens, in this process: hostile tokens, and its wire."""

import base64
import io
import json

import pytest
import spnego
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from usbprov.lab.acceptor import Contexts, main
from usbprov.lab.accounts import Accounts
from usbprov.lab.users import DEFAULT_USERS
from usbprov.lab.windows import any_challenge, environment


@pytest.fixture(autouse=True)
def variables(tmp_path, monkeypatch):
    """The variables that the process of its own is given."""
    Accounts(DEFAULT_USERS).write(tmp_path / "accounts")
    for name, value in environment(tmp_path / "accounts", None).items():
        monkeypatch.setenv(name, value)


def hello(protocol: str) -> bytes:
    context = spnego.client("alice", "x", hostname="localhost", protocol=protocol)
    return context.step(None)


FIRST = [hello("ntlm"), hello("negotiate")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
@example(b"")
@example(b"NTLMSSP\x00")
@example(b"NTLMSSP\x00\x03\x00\x00\x00" + b"\xff" * 52)
@example(b"\x60\x84\xff\xff\xff\xff")
@example(b"\xa1" + b"\x30\x80" * 90)
def test_any_bytes_are_answered(token):
    contexts = Contexts()
    for first in (None, *FIRST):
        if first is not None:
            assert "token" in contexts.step(1, first)
        assert contexts.step(1, token).get("user") is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(FIRST), st.integers(0, 200), st.integers(1, 255))
def test_flipped_bits_are_answered(first, at, mask):
    token = bytearray(first)
    token[at % len(token)] ^= mask
    assert Contexts().step(1, bytes(token)).get("user") is None


def test_its_wire():
    requests = [
        {"number": 1, "token": base64.b64encode(FIRST[0]).decode(), "forget": []},
        {"number": 1, "token": "*", "forget": [1, 7]},
        {"number": 1, "token": base64.b64encode(FIRST[0]).decode(), "forget": [1]},
    ]
    answers = io.StringIO()
    main(io.StringIO("".join(json.dumps(r) + "\n" for r in requests)), answers)
    first, second, third = map(json.loads, answers.getvalue().splitlines())
    assert base64.b64decode(first["token"]).startswith(b"NTLMSSP\x00\x02")
    assert second == {"error": "no base64"}
    assert third["token"] != first["token"], "forgotten: it begins anew"


def test_a_challenge_that_nothing_satisfies_is_one():
    context = spnego.client("alice", "Lab-Alice-1", hostname="localhost", protocol="ntlm")
    context.step(None)
    assert context.step(base64.b64decode(any_challenge())).startswith(b"NTLMSSP\x00\x03")
    assert any_challenge() != any_challenge()
