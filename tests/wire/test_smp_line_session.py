"""The host on a serial line: how it finds the phone again, and when it speaks COBS."""

from collections.abc import Callable

import pytest

from usbprov.errors import LinkTimeout
from usbprov_drivers.smp import messages as m
from usbprov_drivers.smp.cbor import decode_map, encode_map
from usbprov_drivers.smp.framing import WAKE, LineCode, LineDecoder, LineFraming
from usbprov_drivers.smp.session import Session
from usbprov_drivers.smp.wire import Message

CONSOLE, COBS = LineCode.CONSOLE, LineCode.COBS
Answer = Callable[[LineCode, Message], bytes | None]

INFO = {
    "rev": 1,
    "vendor": "v",
    "model": "m",
    "fw": "1",
    "serial": "S1",
    "mac": bytes(6),
    "slots": 1,
    "caps": 255,
    "bits": [2048],
    "max": 4096,
}


def say(code: LineCode, request: Message, **fields: object) -> bytes:
    return code.encode(request.response(encode_map(fields)).encode())


def echo(code: LineCode, request: Message) -> bytes:
    return say(code, request, r=decode_map(request.payload)["d"])


def silence(_code: LineCode, _request: Message) -> None:
    return None


class Line:
    """A serial line on a clock of its own; each command has its answer, and some come first."""

    name = "phone 1-1"

    def __init__(self, **answers: object) -> None:
        self.info = INFO | answers
        self.first: list[Answer] = []
        self.asked: list[tuple[LineCode, str]] = []
        self.written: list[bytes] = []
        self.inbox: list[bytes] = []
        self.resyncs = 0
        self.now = 0.0
        self._decoder = LineDecoder()
        self._names = {(c.group, c.number): c.name for c in (m.ECHO, m.PARAMETERS, m.INFO)}

    def write(self, data: bytes, timeout: float) -> None:
        self.written.append(data)
        for code, request in self._decoder.feed(data):
            name = self._names[request.group, request.command]
            self.asked.append((code, name))
            answer = self.first.pop(0) if self.first else getattr(self, f"_{name.lower()}")
            said = answer(code, request)
            self.inbox += [said] if said else []

    def read(self, timeout: float) -> bytes:
        if not self.inbox:
            self.now += timeout
            raise LinkTimeout(self.name, "a transfer", timeout)
        return self.inbox.pop(0)

    def resync(self) -> None:
        self.resyncs += 1
        self.inbox.clear()

    def close(self) -> None:
        pass

    _echo = staticmethod(echo)

    def _parameters(self, code: LineCode, request: Message) -> bytes:
        return say(code, request, buf_size=1024, buf_count=1)

    def _info(self, code: LineCode, request: Message) -> bytes:
        return say(code, request, **self.info)


def started(line: Line) -> Session:
    session = Session(line, LineFraming(), clock=lambda: line.now)
    session.start()
    line.asked.clear()
    line.written.clear()
    return session


def test_the_host_wakes_the_phone_and_waits_for_its_echo() -> None:
    line = Line()
    session = Session(line, LineFraming(), clock=lambda: line.now)
    session.start()
    assert line.resyncs == 1
    assert line.written[0] == WAKE
    assert line.asked == [(CONSOLE, "echo"), (CONSOLE, "parameters"), (CONSOLE, "INFO")]
    assert session.buffer == 1020, "length and CRC count"


def test_every_echo_is_one_that_was_never_sent_before() -> None:
    line = Line()
    session = started(line)
    texts = []

    def noting(code: LineCode, request: Message) -> bytes:
        texts.append(decode_map(request.payload)["d"])
        return echo(code, request)

    line._echo = noting  # type: ignore[method-assign, assignment]
    for _ in range(5):
        session._resync()
    assert len(set(texts)) == 5


def test_echoes_of_something_else_are_not_it() -> None:
    line = Line()
    line.first = [
        lambda code, request: say(code, request, r="of yesterday"),
        lambda code, request: say(code, request, rc=10),
    ]
    session = Session(line, LineFraming(), clock=lambda: line.now)
    session.start()
    assert line.asked[:3] == [(CONSOLE, "echo")] * 3


def test_a_phone_without_an_echo_is_given_up_after_three() -> None:
    line = Line()
    line.first = [silence] * 9
    session = Session(line, LineFraming(), clock=lambda: line.now)
    with pytest.raises(LinkTimeout) as caught:
        session.start()
    assert (caught.value.command, caught.value.seconds) == ("echo", 6)
    assert line.asked == [(CONSOLE, "echo")] * 3
    assert line.now == 6


def test_an_answer_to_an_earlier_host_is_dropped_before_the_echo() -> None:
    """Behind the echo nothing old can come; before it, even the right number does not help."""
    line = Line(serial="S1")
    session = Session(line, LineFraming(), clock=lambda: line.now)
    old = [
        Message(m.INFO.op, m.INFO.group, m.INFO.number, number, b"").response(
            encode_map(INFO | {"serial": "OLD"})
        )
        for number in range(256)
    ]
    stale = b"".join(CONSOLE.encode(message.encode()) for message in old)
    line.first = [lambda code, request: stale + echo(code, request)]
    session.start()
    assert session.call(m.INFO, m.Nothing()).serial == "S1"


def test_after_a_time_out_the_host_finds_the_phone_again_and_repeats() -> None:
    line = Line()
    session = started(line)
    line.first = [silence]
    assert session.call(m.INFO, m.Nothing()).serial == "S1"
    assert line.resyncs == 2
    assert line.asked == [(CONSOLE, "INFO"), (CONSOLE, "echo"), (CONSOLE, "INFO")]
    assert WAKE in line.written


def test_a_phone_that_does_not_come_back_leaves_the_first_error() -> None:
    line = Line()
    session = started(line)
    line.first = [silence] * 9
    with pytest.raises(LinkTimeout) as caught:
        session.call(m.INFO, m.Nothing())
    assert caught.value.command == "INFO"


@pytest.mark.parametrize("framings", [1, 3, 0xFFFFFFFF])
def test_cobs_is_spoken_where_it_is_offered(framings: int) -> None:
    line = Line(framings=framings)
    session = Session(line, LineFraming(), clock=lambda: line.now)
    session.start()
    assert line.asked[-1] == (COBS, "echo"), "it is tried first"
    assert session.call(m.INFO, m.Nothing()).serial == "S1"
    assert line.asked[-1] == (COBS, "INFO")


@pytest.mark.parametrize("offer", [{}, {"framings": 0}, {"framings": 2}])
def test_cobs_is_not_spoken_where_it_is_not_offered(offer: dict[str, object]) -> None:
    line = Line(**offer)
    session = Session(line, LineFraming(), clock=lambda: line.now)
    session.start()
    session.call(m.INFO, m.Nothing())
    assert {code for code, _ in line.asked} == {CONSOLE}


def test_a_phone_whose_group_is_closed_is_spoken_to_in_console_framing() -> None:
    line = Line()
    line.first = [
        echo,
        line._parameters,
        lambda code, request: say(code, request, err={"group": m.GROUP, "rc": 7}),
    ]
    session = Session(line, LineFraming(), clock=lambda: line.now)
    session.start()
    assert session.call(m.ECHO, m.EchoRequest("x")).r == "x"
    assert line.asked[-1] == (CONSOLE, "echo")


def test_after_a_time_out_it_is_console_framing_for_good() -> None:
    line = Line(framings=1)
    session = started(line)
    line.first = [silence]
    for _ in range(3):
        session.call(m.INFO, m.Nothing())
    codes = [code for code, name in line.asked if name == "INFO"]
    assert codes == [COBS, CONSOLE, CONSOLE, CONSOLE]


def test_a_line_on_which_cobs_does_not_get_through_costs_one_time_out() -> None:
    line = Line(framings=1)
    plain = line.write
    line.write = lambda data, timeout: plain(  # type: ignore[method-assign]
        b"" if data.startswith(b"\0\x02") else data, timeout
    )
    session = Session(line, LineFraming(), clock=lambda: line.now)
    session.start()
    assert line.now == m.ECHO.limit
    assert session.call(m.INFO, m.Nothing()).serial == "S1"
    assert line.asked[-1] == (CONSOLE, "INFO")
