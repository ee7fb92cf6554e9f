"""A function behind a pseudo-terminal, used as a serial port."""

import os
import select
from collections.abc import Iterator

import pytest
import serial
from doubles.usb_device import Recorder, echo

from usbprov.emulation.pty import PtyPort


@pytest.fixture
def function() -> Recorder:
    return echo()


@pytest.fixture
def port(function: Recorder) -> Iterator[PtyPort]:
    with PtyPort(function) as port:
        yield port


def test_a_serial_program_gets_its_echo(port: PtyPort) -> None:
    with serial.Serial(port.path, timeout=5) as terminal:
        terminal.write(b"hello\n")
        assert terminal.readline() == b"hello\n"


def test_every_byte_passes_unchanged(port: PtyPort) -> None:
    every = bytes(range(256)) * 16
    with serial.Serial(port.path, timeout=5) as terminal:
        terminal.write(every)
        assert terminal.read(len(every)) == every


def test_it_may_be_opened_again(port: PtyPort) -> None:
    for text in (b"one", b"two"):
        with serial.Serial(port.path, timeout=5) as terminal:
            terminal.write(text)
            assert terminal.read(3) == text


def test_a_function_is_never_made_to_wait(function: Recorder, port: PtyPort) -> None:
    block = os.urandom(1 << 18)
    function.send(block)
    got = b""
    terminal = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
    try:
        while len(got) < len(block):
            assert select.select([terminal], [], [], 5)[0], "nothing came"
            got += os.read(terminal, 65536)
    finally:
        os.close(terminal)
    assert got == block


def test_closing_resets_the_function_once(function: Recorder) -> None:
    port = PtyPort(function)
    port.close()
    port.close()
    assert function.events == ["connect", "reset"]
    function.send(b"too late")
    assert not port._thread.is_alive()
