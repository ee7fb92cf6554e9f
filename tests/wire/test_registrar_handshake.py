"""The inner handshake in memory, against OpenSSL, with flights that are damaged on the way."""

import pytest
from doubles.dsk_server import DskRegistrar, HeldKey, packed
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from usbprov.errors import RegistrarError
from usbprov.registrar.inner_tls import InnerTls
from usbprov.registrar.tls_dsk import LABEL


def handshake(version: str, ciphers: str, damage=lambda flight, number: flight):
    """Do a whole handshake without any socket; return both sides."""
    server = DskRegistrar(version=version, ciphers=ciphers)
    server.begin()
    client = InnerTls(HeldKey().credential(), "fe")
    flight = client.begin()
    for number in (1, 2):
        server.tls.bio_write(flight)
        server._advance()
        flight = client.step(damage(packed(server.written()), number))
    return client, server


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize("ciphers", ["AES128-SHA", "ECDHE-RSA-AES256-SHA"])
def test_both_sides_export_the_same(version: str, ciphers: str) -> None:
    client, server = handshake(version, ciphers)
    assert client.done
    assert client.export(LABEL, 128) == server.tls.export_keying_material(LABEL, 128)


def unprotected(flight: bytes) -> set[int]:
    """Return the places of the versions in record headers, which no Finished is over."""
    places, at = set(), 0
    while at < len(flight):
        places |= {at + 1, at + 2}
        at += 5 + int.from_bytes(flight[at + 3 : at + 5])
    return places


_PLACE = st.floats(0, 1, exclude_max=True)


@settings(max_examples=60)
@given(st.sampled_from(["1.0", "1.2"]), st.integers(1, 2), _PLACE, st.integers(0, 7))
def test_no_flipped_bit_passes(version: str, where: int, place: float, bit: int) -> None:
    def damage(flight: bytes, number: int) -> bytes:
        if number != where:
            return flight
        at = int(place * len(flight))
        assume(at not in unprotected(flight))
        return flight[:at] + bytes([flight[at] ^ 1 << bit]) + flight[at + 1 :]

    with pytest.raises(RegistrarError):
        handshake(version, "AES128-SHA", damage)


@settings(max_examples=60)
@given(st.integers(1, 2), _PLACE, st.binary(max_size=64))
def test_no_flight_that_is_cut_off_passes(where: int, place: float, rest: bytes) -> None:
    def damage(flight: bytes, number: int) -> bytes:
        return flight if number != where else flight[: int(place * len(flight))] + rest

    with pytest.raises(RegistrarError):
        handshake("1.2", "AES128-SHA", damage)


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_no_garbage_passes(flight: bytes) -> None:
    client = InnerTls(HeldKey().credential(), "fe")
    client.begin()
    with pytest.raises(RegistrarError):
        client.step(flight)
