"""What is in carried files, and that nothing else is taken for it."""

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from doubles.phone import MemoryPhone
from hypothesis import given
from hypothesis import strategies as st

from usbprov.errors import NotPrepared, OfflineError, PreparedAltered, PreparedNewer
from usbprov.offline import requests
from usbprov.offline.document import Damaged
from usbprov.offline.package import Application, Package, decode_package
from usbprov.offline.requests import RequestFile, decode_request
from usbprov.phone.contract import KeyState, PhoneSettings
from usbprov.pki.keys import generate_rsa, key_digest, to_pkcs8
from usbprov.pki.limits import ChainLimits, SignatureKind
from usbprov.pki.requests import build_request

MADE = datetime(2026, 11, 29, 17, tzinfo=UTC)
SETTINGS = PhoneSettings("sip:alice@contoso.test", "https://pool.contoso.test/c.svc", "fe01")
LIMITS = ChainLimits(frozenset({SignatureKind.RSA_SHA1}), 2048)
PHONE = replace(
    MemoryPhone(limits=LIMITS, roots=frozenset({"0b" * 32})).info(), clock=None, slots=()
)
KEY = generate_rsa()
STATE = KeyState(key_digest(KEY.public_key()), b"n" * 16)
PACKAGE = Package(
    MADE,
    PHONE,
    1,
    STATE,
    existing=True,
    pkcs8=to_pkcs8(KEY),
    request=b"request",
    certificate=b"certificate",
    settings=SETTINGS,
    server_chain=(b"leaf", b"middle"),
    roots=(b"root",),
    applied=(Application(MADE, "MEM1", "02:00:00:00:00:01"),),
    clock_behind=86400,
)
ASKED = RequestFile(
    MADE, PHONE, 0, STATE, False, build_request(KEY, "alice@contoso.test"), SETTINGS, -90
)

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def test_a_package_comes_back_as_it_was() -> None:
    assert decode_package(PACKAGE.encode()) == PACKAGE
    bare = Package(MADE, replace(PHONE, limits=None, serial=""))
    assert decode_package(bare.encode()) == bare


def test_the_key_is_in_no_repr() -> None:
    assert "pkcs8" not in repr(PACKAGE)


@given(st.sampled_from(sorted(json.loads(PACKAGE.encode()))), ODD)
def test_a_package_with_anything_odd_in_it_is_damaged_or_means_something(name: str, odd) -> None:
    document = json.loads(PACKAGE.encode()) | {name: odd}
    with suppress(Damaged):
        assert isinstance(decode_package(json.dumps(document).encode()), Package)


@given(st.binary(max_size=100))
def test_bytes_that_are_no_document_are_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        decode_package(data)


def test_deep_nesting_is_damage() -> None:
    with pytest.raises(Damaged):
        decode_package(b"[" * 500_000)


def test_a_request_file_comes_back_as_it_was_and_can_be_read_by_people() -> None:
    data = ASKED.encode()
    assert decode_request(data, "f") == ASKED
    assert b'"mac": "02:00:00:00:00:01"' in data
    assert len(ASKED.fingerprint) == 19


def changed(name: str, value: Any, *, resealed: bool = False) -> bytes:
    whole = json.loads(ASKED.encode())
    whole["content"][name] = value
    if resealed:
        canonical = json.dumps(
            whole["content"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        whole["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    return json.dumps(whole).encode()


@pytest.mark.parametrize("name", sorted(json.loads(ASKED.encode())["content"]))
def test_a_changed_member_is_told_by_the_digest(name: str) -> None:
    with pytest.raises(PreparedAltered, match="digest"):
        decode_request(changed(name, "other"), "f")


def test_every_changed_letter_is_told() -> None:
    data = ASKED.encode()
    for at in range(0, len(data), 7):
        if data[at : at + 1].isspace():
            continue
        other = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(OfflineError):
            decode_request(other, "f")


def test_who_changes_facts_on_purpose_changes_what_is_compared() -> None:
    data = changed("slot", 1, resealed=True)
    assert decode_request(data, "f").fingerprint != ASKED.fingerprint


def test_a_request_for_another_key_is_told() -> None:
    other = build_request(generate_rsa(), "alice@contoso.test")
    with pytest.raises(PreparedAltered, match="another key"):
        decode_request(replace(ASKED, request=other).encode(), "f")


def test_a_request_whose_signature_is_wrong_is_told() -> None:
    wrong = ASKED.request[:-1] + bytes([ASKED.request[-1] ^ 1])
    with pytest.raises(PreparedAltered, match="signature"):
        decode_request(replace(ASKED, request=wrong).encode(), "f")


def test_a_newer_request_file_is_told() -> None:
    whole = json.loads(ASKED.encode()) | {"version": 2}
    with pytest.raises(PreparedNewer):
        decode_request(json.dumps(whole).encode(), "f")


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"\xff", b'{"format": "other", "version": 1}', b"x" * requests.MOST_BYTES],
)
def test_another_file_is_told(data: bytes) -> None:
    with pytest.raises(NotPrepared):
        decode_request(data + b" ", "f")
