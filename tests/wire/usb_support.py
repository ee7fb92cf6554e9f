"""What the tests of the host side of USB share: emulated devices, and the two ways to them."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import pytest
import usb.core
import usb.util

from usbprov.emulation.descriptors import DeviceIdentity
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.exporter import Exporter
from usbprov.emulation.function import Send
from usbprov.emulation.vendor import VendorBulkInterface
from usbprov.usb.buses import open_bus
from usbprov.usb.devices import AttachedDevice, Bus
from usbprov.usb.link import Link
from usbprov.usb.model_backend import ModelBackend
from usbprov.usb.pyusb_bus import PyusbBus
from usbprov.usb.urb_backend import UrbBackend
from usbprov.usb.usbip_backend import UsbIpBackend
from usbprov.usb.usbip_client import Address

VENDOR, PRODUCT = 0x1209, 0x0001


class Echo:
    """Answers each transfer as ``answer`` says; at first with the same bytes."""

    def __init__(self) -> None:
        self.send: Send = lambda data: None
        self.answer: Callable[[bytes], bytes | None] = lambda data: data
        self.received: list[bytes] = []
        self.resets = 0
        self.connected = False
        self.came = threading.Condition()

    def connect(self, send: Send) -> None:
        self.send = send
        self.connected = True

    def receive(self, data: bytes) -> None:
        with self.came:
            self.received.append(data)
            self.came.notify_all()
        answer = self.answer(data)
        if answer is not None:
            self.send(answer)

    def reset(self) -> None:
        self.resets += 1


@dataclass
class Phone:
    """An emulated device and the function behind its vendor interface."""

    device: UsbDevice
    echo: Echo


def phone(number: int = 1, **identity: object) -> Phone:
    echo = Echo()
    facts = {"serial": f"EMU{number:04}", "manufacturer": "usbprov", "product": "EP-100"}
    who = DeviceIdentity(VENDOR, PRODUCT, release=0x0100, **(facts | identity))
    interface = VendorBulkInterface(echo, name="provisioning", subclass=0x55, protocol=0x01)
    return Phone(UsbDevice(who, [interface]), echo)


@dataclass
class Rig:
    """Some phones on a bus. ``exporter`` is None where there is none."""

    phones: Mapping[str, Phone]
    bus: Bus
    backend: UrbBackend
    exporter: Exporter | None = None
    links: list[Link] = field(default_factory=list)
    opened: list[usb.core.Device] = field(default_factory=list)

    @property
    def phone(self) -> Phone:
        return self.phones["1-1"]

    def phone_at(self, place: str) -> Phone:
        return self.phones[place]

    @property
    def device(self) -> usb.core.Device:
        """The first phone as pyusb has it."""
        found = usb.core.find(backend=self.backend)
        self.opened.append(found)
        return found

    def attached(self, place: str = "1-1") -> AttachedDevice:
        return next(d for d in self.bus.devices() if d.facts.port_path == place)

    def link(self, place: str = "1-1") -> Link:
        device = self.attached(place)
        link = device.open_bulk(device.facts.interfaces[0])
        self.links.append(link)
        # The function is told a moment after the host's request was answered.
        assert eventually(lambda: self.phones[place].echo.connected)
        return link

    def close(self) -> None:
        for link in self.links:
            link.close()
        for device in self.opened:
            usb.util.dispose_resources(device)


def _models(phones: Mapping[str, Phone]) -> dict[str, UsbDevice]:
    return {place: phone.device for place, phone in phones.items()}


@contextmanager
def in_process(phones: Mapping[str, Phone]) -> Iterator[Rig]:
    backend = ModelBackend(_models(phones))
    rig = Rig(phones, PyusbBus("model", backend), backend)
    try:
        yield rig
    finally:
        rig.close()


@contextmanager
def exported(phones: Mapping[str, Phone]) -> Iterator[Rig]:
    with Exporter(_models(phones)) as exporter:
        backend = UsbIpBackend(Address("127.0.0.1", exporter.port))
        rig = Rig(phones, open_bus(exporter.uri), backend, exporter)
        try:
            yield rig
        finally:
            rig.close()


Way = Callable[[Mapping[str, Phone]], AbstractContextManager[Rig]]
WAYS: Mapping[str, Way] = {"model": in_process, "usbip": exported}
both_ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
"""Runs a test class with the device model in this process, and again over TCP."""


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait for a condition; False when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
