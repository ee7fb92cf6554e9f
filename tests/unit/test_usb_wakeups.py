"""What a watcher sleeps on."""

import socket
import sys
import threading
import time

import pytest

from usbprov.usb import wakeups
from usbprov.usb.wakeups import TimedWakeup, UdevWakeup, kernel_wakeup


class Monitor:
    """A monitor whose messages a test sends."""

    def __init__(self) -> None:
        self.inbox, self.outbox = socket.socketpair()
        self.inbox.setblocking(False)
        self.overrun = False

    def fileno(self) -> int:
        return self.inbox.fileno()

    def poll(self, timeout: float) -> object | None:
        assert timeout == 0
        if self.overrun:
            self.inbox.recv(64)
            raise OSError(105, "No buffer space available")
        try:
            return self.inbox.recv(1)
        except BlockingIOError:
            return None

    def close(self) -> None:
        self.inbox.close()
        self.outbox.close()


@pytest.fixture
def monitor():
    made = Monitor()
    yield made
    made.close()


@pytest.fixture
def udev(monitor):
    wakeup = UdevWakeup(monitor)
    yield wakeup
    wakeup.close()


def waited(wakeup, seconds: float | None) -> float:
    began = time.monotonic()
    wakeup.wait(seconds)
    return time.monotonic() - began


class TestUdev:
    def test_time_runs_out(self, udev):
        assert waited(udev, 0.05) >= 0.045

    def test_time_runs_out_even_if_udev_says_nothing(self, udev, monkeypatch):
        monkeypatch.setattr(wakeups, "_SURE", 0.05)
        assert waited(udev, None) >= 0.045

    def test_message_wakes_once_however_many_they_are(self, udev, monitor):
        monitor.outbox.send(b"....")
        assert waited(udev, 30) < 10
        assert waited(udev, 0.05) >= 0.045

    def test_too_many_messages_are_news_as_well(self, udev, monitor):
        monitor.overrun = True
        monitor.outbox.send(b".")
        assert waited(udev, 30) < 10

    def test_woken_from_another_thread_for_good(self, udev):
        threading.Timer(0.05, udev.wake).start()
        assert waited(udev, 30) < 10
        assert waited(udev, 30) < 10

    def test_waking_what_is_closed_does_no_harm(self, monitor):
        wakeup = UdevWakeup(monitor)
        wakeup.close()
        wakeup.wake()


class TestTimed:
    def test_time_runs_out(self):
        assert waited(TimedWakeup(30), 0.05) >= 0.045
        assert waited(TimedWakeup(0.05), None) >= 0.045

    def test_woken_for_good(self):
        wakeup = TimedWakeup(30)
        threading.Timer(0.05, wakeup.wake).start()
        assert waited(wakeup, 30) < 10
        assert waited(wakeup, None) < 10


class TestChoice:
    def test_without_pyudev_the_time_has_to_serve(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyudev", None)
        assert isinstance(kernel_wakeup(), TimedWakeup)

    def test_where_udev_cannot_be_listened_to_as_well(self, monkeypatch):
        def refuse() -> Monitor:
            raise OSError(1, "Operation not permitted")

        monkeypatch.setattr(wakeups, "_monitor", refuse)
        assert isinstance(kernel_wakeup(), TimedWakeup)

    @pytest.mark.skipif(sys.platform != "linux", reason="netlink is Linux's")
    @pytest.mark.parametrize("daemon", [True, False])
    def test_the_daemon_is_listened_to_where_one_runs(self, monkeypatch, tmp_path, daemon):
        pyudev = pytest.importorskip("pyudev")
        sources = []
        true = pyudev.Monitor.from_netlink

        def from_netlink(context, source):
            sources.append(source)
            return true(context, source)

        monkeypatch.setattr(pyudev.Monitor, "from_netlink", from_netlink)
        control = tmp_path / "control"
        if daemon:
            control.touch()
        monkeypatch.setattr(wakeups, "_UDEV_CONTROL", control)
        kernel_wakeup().close()
        assert sources == ["udev" if daemon else "kernel"]
