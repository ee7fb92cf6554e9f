"""The phone's own key signs in at the lab's Registrar, and never leaves the phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.wiretap import Wiretap, tapped_bus
from processes import Ended, Station, station

from usbprov.pki.keys import from_pkcs8
from usbprov_drivers.smp.state import State
from usbprov_drivers.smp.store import Store

_PIECE = 16
"""Bytes of a key that are looked for: short enough that no border of messages hides them all."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Station]:
    with station(tmp_path) as running:
        yield running


def provision(desk: Station, *more: str) -> Ended:
    return desk.provision("--registrar", desk.facts["registrar"], "--json", *more)


def pieces_of_the_key(desk: Station) -> list[bytes]:
    (file,) = (desk.folder / "lab" / "phones").glob("*.state")
    key = Store(file, State).state.slots[0].key
    assert key is not None
    private = from_pkcs8(key.pkcs8).private_numbers()
    numbers = (private.p, private.q, private.d, private.dmp1, private.dmq1, private.iqmp)
    wholes = [n.to_bytes((n.bit_length() + 7) // 8, "big") for n in numbers]
    wholes += [whole[::-1] for whole in wholes]
    return [w[at : at + _PIECE] for w in wholes for at in range(0, len(w) - _PIECE, _PIECE)]


def crossed(pieces: list[bytes], tap: Wiretap) -> int:
    heard = tap.heard
    return sum(piece in heard for piece in pieces)


def test_it_signs_in_by_the_phones_key_which_never_left_the_phone(desk: Station) -> None:
    with tapped_bus(desk.bus) as (bus, tap):
        desk.facts["bus"] = bus
        ended = provision(desk)
        assert ended.code == 0, ended.err
        told = ended.document
        assert told["proof"] == {"read_back": True, "possession": True, "sign_in": True}
        assert told["key"] == "phone"
        assert told["sign_in"]["scheme"] == "TLS-DSK"
        assert told["sign_in"]["signed_out"] is True
        pieces = pieces_of_the_key(desk)
        assert len(pieces) > 50
        assert crossed(pieces, tap) == 0


def test_the_wiretap_would_find_a_key_that_crosses(tmp_path: Path) -> None:
    """A key that the host makes does cross, inwards: the search above is able to fail."""
    with (
        station(tmp_path, options=["--personality", "no-keygen"]) as desk,
        tapped_bus(desk.bus) as (bus, tap),
    ):
        desk.facts["bus"] = bus
        ended = provision(desk)
        assert ended.code == 0, ended.err
        assert ended.document["key"] == "host"
        assert ended.document["proof"]["sign_in"] is True
        pieces = pieces_of_the_key(desk)
        assert crossed(pieces, tap) > len(pieces) // 3


def test_no_sign_in_leaves_it_out(desk: Station) -> None:
    ended = provision(desk, "--no-sign-in")
    assert ended.code == 0, ended.err
    assert ended.document["proof"]["sign_in"] is None
    states = {step["name"]: step["state"] for step in ended.document["steps"]}
    assert states["sign in"] == "skipped"


def test_a_refusal_leaves_a_job_that_a_repeat_ends(desk: Station) -> None:
    lab = ("lab", "fault", "--dir", str(desk.folder / "lab"))
    assert desk.run(*lab, "certificate-not-found", "on").code == 0
    failed = provision(desk)
    assert failed.code == 7
    assert failed.document["error"]["code"] == "SIP-05"
    assert failed.document["proof"] == {"read_back": True, "possession": True, "sign_in": False}
    assert desk.run(*lab, "certificate-not-found", "off").code == 0
    again = provision(desk)
    assert again.code == 0, again.err
    assert again.document["job"] == failed.document["job"]
    assert again.document["certificate"] == failed.document["certificate"]
    assert again.document["proof"]["sign_in"] is True
    assert len(desk.published()) == 1
