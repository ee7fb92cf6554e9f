"""The envelope of a prepared file: what opens it, and what is said of every other file."""

import hashlib
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usbprov.errors import (
    NotPrepared,
    OfflineError,
    PassphraseWrong,
    PreparedAltered,
    PreparedNewer,
    PreparedTruncated,
)
from usbprov.offline import envelope
from usbprov.offline.envelope import COST, Lock, seal, unseal
from usbprov.pki.scrypt import Cost

CHEAP = Cost(1 << 12, 8, 1)
PASSPHRASE = "correct horse battery"
DOCUMENT = b'{"pkcs8": "c2VjcmV0"}'
LOCK = Lock.new(PASSPHRASE, CHEAP)
SEALED = seal(DOCUMENT, LOCK)
HEADER = 59


def redigested(data: bytes) -> bytes:
    """Return it as somebody leaves it who alters a file on purpose."""
    body = data[:-32]
    return body + hashlib.sha256(body).digest()


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_the_passphrase_opens_it_and_it_can_be_written_again() -> None:
    document, lock = unseal(SEALED, PASSPHRASE, "f")
    assert document == DOCUMENT
    again = seal(b"more", lock)
    assert unseal(again, PASSPHRASE, "f")[0] == b"more"


def test_nothing_of_the_document_can_be_read_and_no_two_files_are_alike() -> None:
    assert b"pkcs8" not in SEALED
    assert seal(DOCUMENT, LOCK)[31:] != SEALED[31:]
    assert Lock.new(PASSPHRASE, CHEAP).salt != LOCK.salt


def test_a_key_is_in_no_repr() -> None:
    assert LOCK.key.hex() not in repr(LOCK)
    assert repr(LOCK.key)[2:-1] not in repr(LOCK)
    assert repr(LOCK.check)[2:-1] not in repr(LOCK)


def test_every_flipped_bit_is_told_without_any_derivation(monkeypatch) -> None:
    def derived(*_: object) -> None:
        raise AssertionError("a key was derived for a damaged file")

    monkeypatch.setattr(Lock, "of", derived)
    for bit in range(len(SEALED) * 8):
        kinds = (NotPrepared,) if bit < 7 * 8 else (PreparedAltered, PreparedTruncated)
        with pytest.raises(kinds):
            unseal(flipped(SEALED, bit), PASSPHRASE, "f")


def test_every_missing_end_is_told() -> None:
    for length in range(7, len(SEALED)):
        with pytest.raises(PreparedTruncated):
            unseal(SEALED[:length], PASSPHRASE, "f")


def test_what_is_added_at_the_end_is_told() -> None:
    with pytest.raises(PreparedAltered):
        unseal(SEALED + b"x", PASSPHRASE, "f")
    with pytest.raises(PreparedAltered):
        unseal(redigested(SEALED + bytes(32)), PASSPHRASE, "f")


def test_another_passphrase_is_told_apart_from_damage() -> None:
    with pytest.raises(PassphraseWrong):
        unseal(SEALED, "correct horse batterie", "f")


@pytest.mark.parametrize("byte", [*range(HEADER, len(SEALED) - 32, 3)])
def test_content_that_is_altered_on_purpose_is_told(byte: int) -> None:
    with pytest.raises(PreparedAltered):
        unseal(redigested(flipped(SEALED, byte * 8 + byte % 8)), PASSPHRASE, "f")


@pytest.mark.parametrize("byte", [7, 9, 11, 12, 13, 14, 15, 30, 31, 42, 43, 58])
def test_a_header_that_is_altered_on_purpose_never_opens(byte: int) -> None:
    with pytest.raises(OfflineError):
        unseal(redigested(flipped(SEALED, byte * 8)), PASSPHRASE, "f")


def test_a_newer_version_is_told() -> None:
    changed = bytearray(SEALED)
    changed[7] = 2
    with pytest.raises(PreparedNewer, match="format 2"):
        unseal(redigested(bytes(changed)), PASSPHRASE, "f")


@pytest.mark.parametrize(
    "parameters", [(40, 8, 1), (31, 255, 255), (18, 8, 255), (19, 8, 1), (4, 8, 1),
                   (0, 0, 0), (17, 8, 0)]
)  # fmt: skip
def test_a_cost_out_of_bounds_is_refused_before_it_is_paid(parameters) -> None:
    changed = bytearray(SEALED)
    changed[12:15] = struct.pack(">BBB", *parameters)
    began = time.process_time()
    with pytest.raises(NotPrepared, match="out of bounds"):
        unseal(redigested(bytes(changed)), PASSPHRASE, "f")
    assert time.process_time() - began < 1


def test_the_default_cost_is_within_the_bounds() -> None:
    assert seal(DOCUMENT, Lock(COST, bytes(16), bytes(32), bytes(32)))[12:15] == b"\x11\x08\x01"
    assert Cost(1 << 17, 8, 1) == COST
    assert envelope._is_bearable(COST)


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(NotPrepared, match="larger"):
        unseal(SEALED[:7] + bytes(envelope.MOST_BYTES), PASSPHRASE, "f")


@settings(max_examples=200)
@given(st.binary(max_size=200), st.booleans())
def test_whatever_it_is_it_has_an_error_of_its_own(data: bytes, has_magic: bool) -> None:
    with pytest.raises(OfflineError):
        unseal(envelope.MAGIC * has_magic + data, PASSPHRASE, "f")
