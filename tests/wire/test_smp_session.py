"""The host's half: which messages it believes, how long it waits, what it repeats."""

import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from smp_links import SILENCE, Bytewise, PortLink, Unruly, a_phone, issue, quiet

from usbprov.errors import LinkBroken, LinkTimeout, PhoneGone, ProtocolViolation, Unsupported
from usbprov.phone.contract import Credential, PhoneSettings
from usbprov.pki.keys import generate_rsa, to_pkcs8
from usbprov_drivers.smp import messages as m
from usbprov_drivers.smp.cbor import decode_map, encode_map
from usbprov_drivers.smp.ports import RawPort
from usbprov_drivers.smp.schema import Record
from usbprov_drivers.smp.session import Refusal, Session
from usbprov_drivers.smp.wire import Message, Op, decode_message

KEY = generate_rsa()
CERTIFICATE = issue(KEY.public_key())
SETTINGS = PhoneSettings("sip:alice@contoso.test", "https://pool.contoso.test/CertProv")

Answer = Callable[[Message], list[bytes]]


class Scripted:
    """A link whose phone answers each request by the next of a list of functions."""

    name = "phone 1-1"

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[Message] = []
        self.inbox: list[bytes] = []
        self.resyncs = 0
        self.closed = 0

    def write(self, data: bytes, timeout: float) -> None:
        self.requests.append(decode_message(data))
        if self.answers:
            self.inbox += self.answers.pop(0)(self.requests[-1])

    def read(self, timeout: float) -> bytes:
        if not self.inbox:
            raise LinkTimeout(self.name, "read", timeout)
        return self.inbox.pop(0)

    def resync(self) -> None:
        self.resyncs += 1
        self.inbox.clear()

    def close(self) -> None:
        self.closed += 1


def says(**fields: object) -> Answer:
    return lambda request: [request.response(encode_map(fields)).encode()]


def silence(_: Message) -> list[bytes]:
    return []


def raw(data: bytes) -> Answer:
    return lambda _: [data]


def gone(_: Message) -> list[bytes]:
    raise PhoneGone("phone 1-1")


def echo(link: Scripted, text: str = "x") -> str:
    return Session(link).call(m.ECHO, m.EchoRequest(text)).r


def test_the_buffer_size_is_asked_for_and_capped() -> None:
    for said, used in ((256, 256), (4096, 4096), (1_000_000, 16384)):
        link = Scripted(says(buf_size=said, buf_count=4))
        session = Session(link)
        session.start()
        assert session.buffer == used
        assert link.resyncs == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (says(buf_size=255, buf_count=1), ProtocolViolation),
        (says(buf_count=1), ProtocolViolation),
        (says(rc=8), Unsupported),
    ],
    ids=["too small", "missing", "not offered"],
)
def test_a_phone_without_a_usable_buffer_is_given_up(
    answer: Answer, error: type[Exception]
) -> None:
    with pytest.raises(error):
        Session(Scripted(answer)).start()


def test_sequence_numbers_rise_and_wrap() -> None:
    link = Scripted(*[says(r="x")] * 300)
    session = Session(link)
    for _ in range(300):
        session.call(m.ECHO, m.EchoRequest("x"))
    numbers = [request.sequence for request in link.requests]
    assert all((b - a) % 256 == 1 for a, b in pairwise(numbers))


def other(**changes: int) -> Callable[[Message], bytes]:
    def make(request: Message) -> bytes:
        fields = {
            "op": Op.WRITE_RESPONSE,
            "group": request.group,
            "command": request.command,
            "sequence": request.sequence,
        } | changes
        return Message(
            Op(fields["op"]),
            fields["group"],
            fields["command"],
            fields["sequence"],
            encode_map({"r": "foreign"}),
        ).encode()

    return make


@pytest.mark.parametrize(
    "stray",
    [
        other(op=Op.READ_RESPONSE),
        other(op=Op.WRITE),
        other(group=1),
        other(command=1),
        lambda request: other(sequence=(request.sequence - 1) % 256)(request),
        lambda request: other(sequence=(request.sequence + 1) % 256)(request),
    ],
    ids=["op", "request", "group", "command", "late", "early"],
)
def test_messages_that_answer_something_else_are_dropped(
    stray: Callable[[Message], bytes],
) -> None:
    def answer(request: Message) -> list[bytes]:
        good = request.response(encode_map({"r": "mine"})).encode()
        return [stray(request) + stray(request), stray(request) + good + stray(request)]

    link = Scripted(answer, answer)
    session = Session(link)
    assert session.call(m.ECHO, m.EchoRequest("x")).r == "mine"
    assert session.call(m.ECHO, m.EchoRequest("x")).r == "mine"


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"\xff" * 8),
        raw(bytes.fromhex("0b00ffff00000000")),
        says(r=7),
        says(),
        says(err={"group": "x", "rc": 3}),
        says(err={"group": 0, "rc": -1}),
        says(rc="x"),
        lambda request: [request.response(b"\xa1").encode()],
        lambda request: [request.response(b"").encode()],
        lambda request: [request.response(b"\xa1\x61r\xc1\x00").encode()],
    ],
    ids=["op", "length", "type", "missing", "err", "err rc", "rc", "cut", "empty", "tag"],
)
def test_bytes_that_break_the_protocol_are_not_used_and_not_asked_for_again(
    answer: Answer,
) -> None:
    link = Scripted(answer, says(r="x"))
    with pytest.raises(ProtocolViolation):
        echo(link)
    assert len(link.requests) == 1


@pytest.mark.parametrize(
    ("fields", "rc"),
    [
        ({"err": {"group": 1360, "rc": 4}}, m.Rc.OCCUPIED),
        ({"err": {"group": 1360, "rc": 99}}, 99),
        ({"err": {"group": 0, "rc": 2}}, m.Rc.UNKNOWN),
        ({"rc": 8}, m.Rc.UNSUPPORTED),
        ({"rc": 10}, m.Rc.BUSY),
        ({"rc": 3}, m.Rc.INVALID),
        ({"rc": 77}, m.Rc.UNKNOWN),
    ],
)
def test_both_forms_of_errors_are_understood(fields: dict[str, object], rc: int) -> None:
    with pytest.raises(Refusal) as caught:
        echo(Scripted(says(**fields)))
    assert caught.value.rc == rc
    assert caught.value.reason


@pytest.mark.parametrize("extra", [{"rc": 0}, {"err": {"group": 0, "rc": 0}}])
def test_an_error_code_of_zero_is_success(extra: dict[str, object]) -> None:
    assert echo(Scripted(says(r="x", **extra))) == "x"


def test_a_lost_answer_is_asked_for_once_more_after_a_resync() -> None:
    link = Scripted(silence, says(r="x"))
    assert echo(link) == "x"
    assert link.resyncs == 1
    assert len({request.sequence for request in link.requests}) == 2


def test_a_second_silence_is_a_time_out_that_names_the_command() -> None:
    link = Scripted(silence, silence, says(r="x"))
    with pytest.raises(LinkTimeout, match="echo within 2 s"):
        echo(link)
    assert len(link.requests) == 2


@pytest.mark.parametrize(
    ("command", "request_"),
    [(m.ERASE, m.EraseRequest(0, "EMU0001/0")), (m.RESET, m.ResetRequest())],
    ids=["ERASE", "reset"],
)
def test_what_must_not_be_repeated_is_not(
    command: m.Command[Record, Record], request_: Record
) -> None:
    link = Scripted(silence, says())
    with pytest.raises(LinkTimeout):
        Session(link).call(command, request_)
    assert len(link.requests) == 1
    assert link.resyncs == 1


def test_a_phone_that_is_gone_is_not_asked_again() -> None:
    link = Scripted(gone, says(r="x"))
    with pytest.raises(PhoneGone):
        echo(link)
    assert (len(link.requests), link.resyncs) == (1, 0)


def test_a_link_that_cannot_be_resynchronised_gives_the_first_error() -> None:
    class Broken(Scripted):
        def resync(self) -> None:
            raise LinkBroken(self.name, "the endpoint stays halted")

    link = Broken(silence, says(r="x"))
    with pytest.raises(LinkTimeout, match="echo"):
        echo(link)
    assert len(link.requests) == 1


def test_a_broken_transfer_is_repeated_once_like_a_lost_one() -> None:
    def stall(_: Message) -> list[bytes]:
        raise LinkBroken("phone 1-1", "stall")

    link = Scripted(stall, says(r="x"))
    assert echo(link) == "x"
    assert link.resyncs == 1


def test_junk_behind_an_answer_is_found_before_the_next_request() -> None:
    def answer(request: Message) -> list[bytes]:
        return [request.response(encode_map({"r": "x"})).encode() + b"\xff" * 8]

    link = Scripted(answer)
    session = Session(link)
    assert session.call(m.ECHO, m.EchoRequest("x")).r == "x"
    with pytest.raises(ProtocolViolation):
        session.call(m.ECHO, m.EchoRequest("x"))
    assert len(link.requests) == 1


def test_a_flood_of_strangers_ends_at_the_time_limit() -> None:
    class Flood(Scripted):
        def read(self, timeout: float) -> bytes:
            return other(group=9)(self.requests[-1])

    with pytest.raises(LinkTimeout):
        Session(Flood(), patience=0.02).call(m.ECHO, m.EchoRequest("x"))


def walk(folder: Path, link: Callable[[RawPort], PortLink]) -> PortLink:
    """The whole of a provisioning with a host-made key, checked at its end."""
    phone, wire, _ = a_phone(folder, link=link, personality="no-keygen")
    phone.import_key(0, to_pkcs8(KEY), bytes(16), replace=False)
    phone.install(0, Credential(CERTIFICATE), SETTINGS, quiet)
    info = phone.info()
    assert info.settings == SETTINGS
    assert info.slots[0].active_key is not None
    phone.close()
    return wire


def test_a_phone_may_be_spoken_to_one_byte_at_a_time(tmp_path: Path) -> None:
    walk(tmp_path, Bytewise)


@pytest.mark.parametrize("seed", range(40))
def test_late_lost_repeated_and_foreign_messages_change_nothing(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    wire = walk(tmp_path, lambda port: Unruly(port, dice))
    assert wire.resyncs > 1, "nothing was lost"


def test_a_lost_answer_to_keygen_makes_no_second_key(tmp_path: Path) -> None:
    class Deaf(PortLink):
        lose_next = False

        def take(self, data: bytes) -> None:
            if self.lose_next:
                self.lose_next = False
                data = SILENCE
            super().take(data)

    phone, wire, firmware = a_phone(tmp_path, link=Deaf)
    assert isinstance(wire, Deaf)
    wire.lose_next = True
    made = phone.generate_key(0, 2048, bytes(16), replace=False, progress=quiet)
    assert wire.resyncs == 2
    assert firmware._jobs.find(2) is None
    assert phone.info().slots[0].pending_key == made


def test_a_refusal_s_payload_is_read_from_the_real_phone(tmp_path: Path) -> None:
    phone, wire, _ = a_phone(tmp_path)
    with pytest.raises(Refusal):
        phone._session.call(m.CSR, m.CsrRequest(9, "x"))
    assert decode_map(decode_message(wire.sent_by_phone[-1]).payload) == {
        "err": {"group": m.GROUP, "rc": m.Rc.NO_SUCH_SLOT}
    }
