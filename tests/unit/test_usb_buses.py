"""Buses by name."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
import usb.backend.libusb1

from usbprov.errors import BusUnavailable, UsageError
from usbprov.usb import buses, kernel_bus
from usbprov.usb.buses import DEFAULT_BUS, open_bus
from usbprov.usb.linux_bus import LinuxBus
from usbprov.usb.portable_bus import PortableBus


class TestNames:
    @pytest.mark.parametrize(
        ("uri", "host", "port"),
        [
            ("usbip://127.0.0.1:4000", "127.0.0.1", 4000),
            ("usbip://bench.example", "bench.example", None),
            ("usbip://bench.example/", "bench.example", None),
            ("usbip://[::1]:4000", "::1", 4000),
            ("usbip://[fe80::1]", "fe80::1", None),
            ("USBIP://Bench:1", "bench", 1),
        ],
    )
    def test_host_and_port(self, uri, host, port):
        assert buses._host_and_port(uri) == (host, port)

    @pytest.mark.parametrize(
        "uri",
        [
            "",
            "usb",
            "kernel:1",
            "kernel://x",
            "tcp://127.0.0.1",
            "usbip",
            "usbip:",
            "usbip://",
            "usbip://:3240",
            "usbip://host:0",
            "usbip://host:65536",
            "usbip://host:port",
            "usbip://host:-1",
            "usbip://[::1",
            "usbip://host/1-1",
            "usbip://host?x=1",
            "usbip://host#x",
            "usbip://user:secret@host",
        ],
    )
    def test_refused(self, uri):
        with pytest.raises(UsageError) as caught:
            open_bus(uri)
        assert repr(uri) in caught.value.problem

    def test_uri_is_kept_as_it_was_written(self):
        assert open_bus("usbip://localhost").uri == "usbip://localhost"

    def test_port_by_default_is_that_of_iana(self):
        assert open_bus("usbip://localhost")._backend._address.port == 3240

    def test_opening_a_bus_asks_nobody(self):
        open_bus("usbip://no.such.host.invalid:1")


class TestKernel:
    def test_is_the_default(self):
        assert DEFAULT_BUS == "kernel"
        assert open_bus(DEFAULT_BUS).uri == "kernel"

    def test_lists_without_complaint(self):
        # Whatever is attached to the machine that runs this, often nothing, and no /dev/bus/usb.
        for device in open_bus("kernel").devices():
            assert device.facts.bus == "kernel"

    def test_no_libusb(self, monkeypatch):
        monkeypatch.setattr(kernel_bus, "libraries", lambda: iter(()))
        with pytest.raises(BusUnavailable) as caught:
            open_bus("kernel")
        assert "libusb" in caught.value.reason

    @pytest.mark.parametrize(("there", "kind"), [(True, LinuxBus), (False, PortableBus)])
    def test_sysfs_is_read_where_there_is_one(self, monkeypatch, there, kind):
        monkeypatch.setattr(kernel_bus, "has_usb", lambda: there)
        assert isinstance(open_bus("kernel"), kind)

    def test_libusb_of_the_system_comes_first(self, monkeypatch):
        tried = []

        def get_backend(finder):
            tried.append(finder("usb-1.0"))
            return None if len(tried) == 1 else usb.backend.IBackend()

        system = {"usb-1.0": "/lib/libusb-1.0.so.0"}
        monkeypatch.setattr(kernel_bus.ctypes.util, "find_library", system.get)
        monkeypatch.setattr(
            kernel_bus, "libusb_package", SimpleNamespace(find_library=lambda name: "/wheel.so")
        )
        monkeypatch.setattr(usb.backend.libusb1, "get_backend", get_backend)
        open_bus("kernel")
        assert tried == ["/lib/libusb-1.0.so.0", "/wheel.so"]


def test_import_loads_no_pyusb():
    program = (
        "import sys, usbprov.usb.buses\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('usb', 'libusb_package', 'ctypes')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
