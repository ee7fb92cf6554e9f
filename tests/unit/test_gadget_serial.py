"""A function on a terminal that is hung up and comes back: here a pseudo-terminal."""

import os
import pty
import select
import tty
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from doubles.usb_device import Recorder, echo

from usbprov.emulation.gadget_serial import TtyPort


class Cable:
    """The host's end, under a name that stays."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ttyGS0"
        self._host = -1

    def plug(self) -> None:
        self._host, terminal = pty.openpty()
        tty.setraw(terminal)
        link = self.path.with_suffix(".new")
        link.symlink_to(os.ttyname(terminal))
        link.rename(self.path)
        self._terminal = terminal

    def pull(self) -> None:
        """Hang up, which the other end is told."""
        self.path.unlink()
        for descriptor in (self._host, self._terminal):
            os.close(descriptor)

    def write(self, data: bytes) -> None:
        os.write(self._host, data)

    def read(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            assert select.select([self._host], [], [], 5)[0], "nothing came"
            got += os.read(self._host, size - len(got))
        return got


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    cable = Cable(tmp_path)
    cable.plug()
    yield cable
    cable.pull()


@pytest.fixture
def function() -> Recorder:
    return echo()


@pytest.fixture
def port(function: Recorder, cable: Cable) -> Iterator[TtyPort]:
    with ExitStack() as stack:
        port = TtyPort(function, cable.path)
        stack.callback(port.close)
        assert function.wait_for(lambda: "connect" in function.events)
        yield port


def test_every_byte_passes_unchanged(port: TtyPort, cable: Cable) -> None:
    every = bytes(range(256)) * 4
    cable.write(every)
    assert cable.read(len(every)) == every


def test_much_is_sent_in_pieces(port: TtyPort, cable: Cable, function: Recorder) -> None:
    block = os.urandom(1 << 18)
    function.send(block)
    assert cable.read(len(block)) == block


def test_after_a_hang_up_all_begins_anew(port: TtyPort, cable: Cable, function: Recorder) -> None:
    old = function.send
    cable.pull()
    assert function.wait_for(lambda: function.events[-1] == "reset")
    cable.plug()
    assert function.wait_for(lambda: function.events[-1] == "connect")
    old(b"too late")
    cable.write(b"new")
    assert cable.read(3) == b"new"


def test_closing_resets_the_function_once(port: TtyPort, cable: Cable, function: Recorder) -> None:
    port.close()
    port.close()
    assert function.events.count("reset") == 1
    function.send(b"too late")


def test_a_terminal_that_never_comes_does_not_hinder_closing(tmp_path: Path) -> None:
    function = echo()
    port = TtyPort(function, tmp_path / "nothing")
    port.close()
    assert not function.events
