"""What of the smp cable's messages is recorded, and how they are answered in a replay."""

import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usbprov.tape.events import Json, packed
from usbprov.usb.devices import LinkKind
from usbprov_drivers.smp import messages as m
from usbprov_drivers.smp.cbor import decode_map, encode_map
from usbprov_drivers.smp.cobs import encode_cobs
from usbprov_drivers.smp.console import encode_console
from usbprov_drivers.smp.schema import dump_record
from usbprov_drivers.smp.tap import SmpTap
from usbprov_drivers.smp.wire import Message, decode_message

CANARY = b"private-key-canary"


def request(command, record, sequence: int = 7) -> Message:
    return Message(
        command.op, command.group, command.number, sequence, encode_map(dump_record(record))
    )


def response(to: Message, record_or_map) -> Message:
    fields = record_or_map if isinstance(record_or_map, dict) else dump_record(record_or_map)
    return to.response(encode_map(fields))


def noted(notes) -> list[dict[str, Json]]:
    return json.loads(json.dumps(packed(notes)))  # as it comes back from a tape


PUT_KEY = request(m.PUT, m.PutRequest(m.Kind.KEY, 0, 18, bytes(32), CANARY, 0, bytes(16), False))


def test_the_pieces_of_a_private_key_are_kept_as_their_size() -> None:
    (note,) = noted(SmpTap(LinkKind.BULK).sent(PUT_KEY.encode()))
    assert note["name"] == "PUT"
    assert note["map"]["data"] == {"$removed": len(CANARY)}
    assert note["map"]["kind"] == "key"


def test_other_objects_are_kept() -> None:
    put = request(m.PUT, m.PutRequest(m.Kind.CERT, 0, 18, bytes(32), b"certificate", 0))
    (note,) = noted(SmpTap(LinkKind.BULK).sent(put.encode()))
    assert note["map"]["data"] == packed(b"certificate")


@pytest.mark.parametrize(
    "asked",
    [
        request(m.GET, m.GetRequest(m.Kind.KEY, 0)),
        request(m.SIGN, m.SignRequest(0, bytes(36))),
        PUT_KEY,
    ],
)
def test_an_answer_never_gives_a_key_or_a_signature_away(asked: Message) -> None:
    """A faulty phone may give a private key to whoever asks for it."""
    tap = SmpTap(LinkKind.BULK)
    tap.sent(asked.encode())
    said = {"off": 0, "len": 18, "sha": bytes(32), "data": CANARY, "extra": CANARY}
    (note,) = noted(tap.received(response(asked, said).encode()))
    assert "canary" not in json.dumps(note)
    assert str(packed(CANARY)["$bytes"]) not in json.dumps(note)  # type: ignore[call-overload, index]


@pytest.mark.parametrize("code", [None, encode_console, encode_cobs])
def test_an_answer_fits_the_question_of_now(code) -> None:
    kind = LinkKind.BULK if code is None else LinkKind.SERIAL
    code = code or bytes
    then = request(m.ECHO, m.EchoRequest("then"), 250)
    tape, tap = SmpTap(kind), SmpTap(kind)
    (asked,) = noted(tape.sent(code(then.encode())))
    (answered,) = noted(tape.received(code(response(then, m.EchoResponse("then")).encode())))

    now = request(m.ECHO, m.EchoRequest("now"), 3)
    (sent,) = tap.sent(code(now.encode()))
    assert tap.matches(asked, sent)
    (back,) = SmpTap(kind).received(tap.answer(answered))
    assert back["sequence"] == 3
    assert back["map"] == {"r": "now"}


def test_a_late_answer_is_as_late_as_it_was() -> None:
    tape, tap = SmpTap(LinkKind.BULK), SmpTap(LinkKind.BULK)
    then, now = request(m.INFO, m.Nothing(), 100), request(m.INFO, m.Nothing(), 20)
    (asked,) = noted(tape.sent(then.encode()))
    late = request(m.INFO, m.Nothing(), 98)
    (answered,) = noted(tape.received(response(late, {}).encode()))
    tap.matches(asked, *tap.sent(now.encode()))
    assert decode_message(tap.answer(answered)).sequence == 18


def test_a_removed_result_is_zeros_with_their_digest() -> None:
    tape, tap = SmpTap(LinkKind.BULK), SmpTap(LinkKind.BULK)
    sign = request(m.SIGN, m.SignRequest(0, bytes(36)))
    (asked,) = noted(tape.sent(sign.encode()))
    piece = m.PieceResponse(0, 256, sha256(bytes(256)).digest(), b"s" * 256)
    (answered,) = noted(tape.received(response(sign, piece).encode()))
    tap.matches(asked, *tap.sent(sign.encode()))
    back = decode_map(decode_message(tap.answer(answered)).payload)
    assert back["data"] == bytes(256)
    assert back["sha"] == sha256(bytes(256)).digest()


def test_another_command_does_not_match() -> None:
    tap = SmpTap(LinkKind.BULK)
    (info,) = noted(tap.sent(request(m.INFO, m.Nothing()).encode()))
    (listed,) = tap.sent(request(m.LIST, m.ListRequest()).encode())
    assert not tap.matches(info, listed)


def test_what_cannot_be_read_stays_so() -> None:
    tape, tap = SmpTap(LinkKind.BULK), SmpTap(LinkKind.BULK)
    info = request(m.INFO, m.Nothing())
    (asked,) = noted(tape.sent(info.encode()))
    (answered,) = noted(tape.received(info.response(b"\x01\x02" + CANARY).encode()))
    (garbage,) = noted(SmpTap(LinkKind.BULK).received(b"\xff" * 30))
    assert "canary" not in json.dumps([answered, garbage])
    tap.matches(asked, *tap.sent(info.encode()))
    (note,) = SmpTap(LinkKind.BULK).received(tap.answer(answered))
    assert "map" not in note
    assert SmpTap(LinkKind.BULK).received(tap.answer(garbage)) == [{"name": "malformed", "size": 8}]


@pytest.mark.parametrize("kind", LinkKind)
@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=4))
def test_no_bytes_upset_it(kind: LinkKind, pieces: list[bytes]) -> None:
    tap = SmpTap(kind)
    tap.sent(PUT_KEY.encode() if kind is LinkKind.BULK else encode_console(PUT_KEY.encode()))
    for piece in pieces:
        json.dumps(packed(tap.received(piece)))


NUMBERS = {"op": 1, "group": 0x550, "command": 0, "sequence": 1}


@pytest.mark.parametrize(
    "recorded",
    [
        {},
        NUMBERS | {"op": 9},
        NUMBERS | {"op": 7},
        NUMBERS | {"group": 1 << 20},
        NUMBERS | {"sequence": "1"},
        NUMBERS | {"map": None},
        NUMBERS | {"map": {"a": {"$bytes": "?"}}},
        NUMBERS | {"map": {"data": {"$removed": 3}, "len": 1 << 40}},
    ],
)
def test_a_made_up_answer_is_refused(recorded: dict[str, Json]) -> None:
    tap = SmpTap(LinkKind.BULK)
    info = request(m.INFO, m.Nothing())
    (sent,) = tap.sent(info.encode())
    tap.matches(noted([sent])[0], sent)
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        tap.answer(recorded)
