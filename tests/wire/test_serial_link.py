"""The serial link over pseudo-terminals: real pyserial, real terminals, and what goes wrong."""

import os
import pty
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import serial
from doubles.usb_device import Recorder, echo

from usbprov.emulation.pty import PtyPort
from usbprov.errors import LinkTimeout, PhoneBusy, PhoneGone
from usbprov.usb import serial_link
from usbprov.usb.serial_link import SerialLink

NAME = "phone 1-1 (serial EMU0001)"


@pytest.fixture
def function() -> Recorder:
    return echo()


@pytest.fixture
def port(function: Recorder) -> Iterator[PtyPort]:
    with PtyPort(function) as port:
        yield port


@pytest.fixture
def link(port: PtyPort) -> Iterator[SerialLink]:
    link = SerialLink.open(port.path, NAME)
    yield link
    link.close()


class Deaf:
    """A terminal whose other end nobody reads."""

    def __init__(self) -> None:
        self.main, self.terminal = pty.openpty()
        tty.setraw(self.terminal)
        self.path = os.ttyname(self.terminal)

    def hang_up(self) -> None:
        for descriptor in (self.main, self.terminal):
            os.close(descriptor)
        self.main = self.terminal = -1


@pytest.fixture
def deaf() -> Iterator[Deaf]:
    deaf = Deaf()
    yield deaf
    if deaf.main >= 0:
        deaf.hang_up()


def read(link: SerialLink, size: int) -> bytes:
    got = b""
    while len(got) < size:
        got += link.read(5)
    return got


def open_files() -> list[str]:
    """What a serial port consists of."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the listing itself
            found.append(str(entry.readlink()))
    return sorted(path for path in found if path.startswith(("/dev/pts", "pipe")))


def test_every_byte_passes_both_ways(link: SerialLink) -> None:
    every = bytes(range(256)) * 40
    link.write(every, 5)
    assert read(link, len(every)) == every
    assert link.name == NAME


def test_a_read_takes_all_that_is_there(
    link: SerialLink, function: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    plain = serial.Serial.read

    def counted(port: serial.Serial, size: int = 1) -> bytes:
        reads.append(size)
        return plain(port, size)

    monkeypatch.setattr(serial.Serial, "read", counted)
    function.send(bytes(3000))
    assert read(link, 3000) == bytes(3000)
    assert len(reads) < 60, "it reads byte by byte"


@pytest.mark.parametrize("limit", [0.0, 0.01, 0.3])
def test_silence_ends_at_the_time_limit(link: SerialLink, limit: float) -> None:
    began = time.monotonic()
    with pytest.raises(LinkTimeout) as caught:
        link.read(limit)
    assert limit <= time.monotonic() - began < limit + 2
    assert caught.value.seconds == limit


def test_a_byte_that_comes_late_is_waited_for(link: SerialLink, function: Recorder) -> None:
    timer = threading.Timer(0.4, function.send, [b"late"])
    timer.start()
    assert link.read(10).startswith(b"l")
    timer.join()


def test_a_phone_that_takes_nothing_is_given_up_and_its_bytes_forgotten(deaf: Deaf) -> None:
    link = SerialLink.open(deaf.path, NAME)
    try:
        with pytest.raises(LinkTimeout) as caught:
            link.write(bytes(1 << 20), 0.2)
        assert caught.value.seconds == 0.2
        began = time.monotonic()
    finally:
        link.close()
    assert time.monotonic() - began < 5, "closing waited for bytes that nobody takes"


def test_a_port_has_one_user(port: PtyPort, link: SerialLink) -> None:
    with pytest.raises(PhoneBusy):
        SerialLink.open(port.path, NAME)
    link.close()
    SerialLink.open(port.path, NAME).close()


def test_a_port_that_is_not_there_is_a_phone_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(PhoneGone):
        SerialLink.open(str(tmp_path / "ttyACM0"), NAME)


@pytest.mark.parametrize("action", ["read", "write", "resync"])
def test_a_pulled_cable_is_noticed_and_the_terminal_let_go_at_once(deaf: Deaf, action: str) -> None:
    link = SerialLink.open(deaf.path, NAME)
    actions = {
        "read": lambda: link.read(5),
        "write": lambda: link.write(b"x", 5),
        "resync": link.resync,
    }
    deaf.hang_up()
    began = time.monotonic()
    with pytest.raises(PhoneGone):
        actions[action]()
    assert time.monotonic() - began < 2
    assert not any(path.startswith(deaf.path) for path in open_files()), "a ghost tty"
    for later in actions.values():
        with pytest.raises(PhoneGone):
            later()
    link.close()


def test_a_pulled_cable_is_noticed_while_waiting(deaf: Deaf) -> None:
    link = SerialLink.open(deaf.path, NAME)
    timer = threading.Timer(0.1, deaf.hang_up)
    timer.start()
    began = time.monotonic()
    with pytest.raises(PhoneGone):
        link.read(30)
    assert time.monotonic() - began < 5
    timer.join()
    link.close()


def test_bytes_that_somebody_took_meanwhile_are_no_failure(
    link: SerialLink, function: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, terminal = os.read, link._port.fileno()
    taken: list[int] = []

    def read(descriptor: int, size: int) -> bytes:
        if descriptor == terminal and not taken:
            taken.append(size)
            raise BlockingIOError
        return plain(descriptor, size)

    monkeypatch.setattr(serial_link.os, "read", read)
    function.send(b"still here")
    assert link.read(5).startswith(b"s")
    assert taken


def test_closing_is_harmless_at_any_time(deaf: Deaf) -> None:
    for hang_up_first in (False, True):
        link = SerialLink.open(deaf.path, NAME)
        if hang_up_first:
            deaf.hang_up()
        link.close()
        link.close()


def test_resync_forgets_what_came(link: SerialLink, function: Recorder) -> None:
    function.send(b"old")
    link.resync()
    with pytest.raises(LinkTimeout):
        link.read(0.05)
    link.write(b"new", 5)
    assert read(link, 3) == b"new"


def test_resync_does_not_wait_for_ever_for_a_phone_that_writes_without_end(
    deaf: Deaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial_link, "_QUIET", 10.0)  # the line never is quiet as long as that
    over = threading.Event()
    os.set_blocking(deaf.main, False)

    def chatter() -> None:
        while not over.wait(0.001):
            with suppress(BlockingIOError):
                while not over.is_set():
                    os.write(deaf.main, b"[00:00:00.000] <inf> still here\r\n")

    link = SerialLink.open(deaf.path, NAME)
    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        began = time.monotonic()
        link.resync()
        assert time.monotonic() - began < 8
        assert link.read(5)
    finally:
        over.set()
        thread.join()
        link.close()


def test_the_line_is_set_up_before_it_is_opened(
    port: PtyPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[object, ...]] = []
    plain = serial.Serial.open

    def noted(self: serial.Serial) -> None:
        seen.append((self.is_open, self.dtr, self.rts, self.exclusive))
        seen.append((self.baudrate, self.bytesize, self.parity, self.stopbits))
        plain(self)

    monkeypatch.setattr(serial.Serial, "open", noted)
    SerialLink.open(port.path, NAME).close()
    assert seen == [(False, True, True, True), (115200, 8, "N", 1)]


def test_ports_are_given_back(port: PtyPort) -> None:
    SerialLink.open(port.path, NAME).close()
    before = open_files()
    for _ in range(50):
        SerialLink.open(port.path, NAME).close()
        with pytest.raises(PhoneGone):
            SerialLink.open("/dev/no-such-tty", NAME)
    assert open_files() == before
