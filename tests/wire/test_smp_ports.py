"""The emulated phone's serial port: what it takes, and how it answers."""

from itertools import pairwise
from pathlib import Path

import pytest
from smp_links import spec, wait_until

from usbprov_drivers.smp import messages as m
from usbprov_drivers.smp.cbor import decode_map, encode_map
from usbprov_drivers.smp.emulator import boot
from usbprov_drivers.smp.framing import WAKE, LineCode, LineDecoder
from usbprov_drivers.smp.ports import ConsolePort
from usbprov_drivers.smp.schema import dump_record
from usbprov_drivers.smp.wire import HEADER_SIZE, Message

CONSOLE, COBS = LineCode.CONSOLE, LineCode.COBS


class Terminal:
    """What is typed into the port, and all that came out of it."""

    def __init__(self, folder: Path, personality: str = "") -> None:
        self.now = 0.0
        self.firmware = boot(spec(folder, personality))
        self.port = ConsolePort(self.firmware, lambda: self.now)
        self.out = b""
        self.port.connect(self._take)
        self.boot_messages, self.out = self.out, b""

    def _take(self, data: bytes) -> None:
        self.out += data

    def answers(self, count: int) -> list[tuple[LineCode, Message]]:
        wait_until(lambda: len(LineDecoder().feed(self.out)) >= count)
        return list(LineDecoder().feed(self.out))

    def is_silent(self) -> bool:
        """Ask something that is answered: nothing else is, then, that came before."""
        self.port.receive(WAKE + echo(CONSOLE, 255))
        ((_, answer),) = self.answers(1)
        return answer.sequence == 255


def echo(code: LineCode, number: int, text: str = "x") -> bytes:
    payload = encode_map(dump_record(m.EchoRequest(text)))
    return code.encode(Message(m.ECHO.op, 0, 0, number, payload).encode())


@pytest.mark.parametrize("personality", ["", "chatty", "small-buffers"])
def test_each_request_is_answered_in_the_framing_in_which_it_came(
    tmp_path: Path, personality: str
) -> None:
    terminal = Terminal(tmp_path, personality)
    codes = [CONSOLE, COBS, COBS, CONSOLE, COBS, CONSOLE]
    for number, code in enumerate(codes):
        terminal.port.receive(echo(code, number))
        found = terminal.answers(number + 1)
    assert [code for code, _ in found] == codes
    assert [message.sequence for _, message in found] == list(range(len(codes)))


def test_a_chatty_phone_writes_within_its_lines_but_never_within_a_cobs_frame(
    tmp_path: Path,
) -> None:
    terminal = Terminal(tmp_path, "chatty")
    long = "y" * 120
    terminal.port.receive(echo(CONSOLE, 1, long))
    terminal.answers(1)
    lines = terminal.out.split(b"\n")
    marked = [at for at, line in enumerate(lines) if b"\x06\x09" in line or b"\x04\x14" in line]
    assert len(marked) > 1
    assert all(b > a + 1 for a, b in pairwise(marked)), "text is between"
    assert all(lines[at].startswith(b"uart:~$ ") for at in marked)
    terminal.out = b""
    terminal.port.receive(echo(COBS, 2, long))
    ((_, answer),) = terminal.answers(1)
    assert decode_map(answer.payload) == {"r": long}
    before, frame, after = terminal.out.split(b"\0")
    assert b"smp: at work" in before
    assert b"smp: at work" in after
    assert b"smp: at work" not in frame


def test_a_phone_without_cobs_neither_offers_nor_takes_it(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "no-cobs")
    info = Message(m.INFO.op, m.GROUP, 0, 1, b"\xa0")
    assert "framings" not in decode_map(terminal.firmware.handle(info).payload)
    terminal.port.receive(echo(COBS, 1))
    assert terminal.is_silent()


def test_a_phone_with_cobs_says_so(tmp_path: Path) -> None:
    info = Message(m.INFO.op, m.GROUP, 0, 1, b"\xa0")
    assert decode_map(Terminal(tmp_path).firmware.handle(info).payload)["framings"] == 1


@pytest.mark.parametrize("code", LineCode)
def test_an_incomplete_frame_is_forgotten_after_a_second(tmp_path: Path, code: LineCode) -> None:
    terminal = Terminal(tmp_path)
    whole = echo(code, 1)
    terminal.port.receive(whole[:9])
    terminal.now += 0.9
    terminal.port.receive(whole[9:])
    assert len(terminal.answers(1)) == 1
    terminal.out = b""
    terminal.port.receive(whole[:9])
    terminal.now += 1.1
    terminal.port.receive(whole[9:])
    assert terminal.is_silent()


@pytest.mark.parametrize("code", LineCode)
def test_a_request_larger_than_the_buffer_is_dropped(tmp_path: Path, code: LineCode) -> None:
    terminal = Terminal(tmp_path, "small-buffers")
    room = 256 - 4 - HEADER_SIZE
    fits = Message(m.ECHO.op, 0, 9, 1, bytes(room))
    terminal.port.receive(code.encode(fits.encode()))
    assert len(terminal.answers(1)) == 1
    terminal.out = b""
    terminal.port.receive(code.encode(Message(m.ECHO.op, 0, 9, 2, bytes(room + 1)).encode()))
    assert terminal.is_silent()


def test_a_reset_of_the_port_forgets_what_is_incomplete(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminal.port.receive(echo(COBS, 1)[:-3])
    terminal.port.reset()
    terminal.port.receive(echo(CONSOLE, 2))
    assert terminal.answers(1)[0][1].sequence == 2


def test_it_says_when_it_has_booted(tmp_path: Path) -> None:
    assert b"Booting EP-100" in Terminal(tmp_path).boot_messages
