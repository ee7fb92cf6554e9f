"""Searching a bus: what is listed, also of devices that are busy, silent or lying."""

import socket
import threading
import time

import pytest
from usb_support import Phone, Rig, Way, both_ways, exported, in_process, phone

from usbprov.emulation.cdc import CdcAcmInterface
from usbprov.emulation.descriptors import DeviceIdentity
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.faults import Effect, Fault
from usbprov.emulation.vendor import VendorBulkInterface
from usbprov.errors import BusUnavailable, PhoneBusy
from usbprov.phone.candidates import Reach, candidates
from usbprov.usb import snapshot, urb_backend, usbip_client
from usbprov.usb.buses import open_bus
from usbprov.usb.devices import InterfaceFacts
from usbprov.usb.pyusb_bus import PyusbBus

DEVICE, CONFIGURATION, STRING = 1, 2, 3


@pytest.fixture
def rig(way: Way):
    with way({"1-1": phone(1), "1-1.4.2": phone(2)}) as made:
        yield made


@both_ways
class TestFacts:
    def test_of_a_phone(self, rig: Rig):
        facts = rig.attached("1-1.4.2").facts
        assert (facts.bus, facts.port_path) == (rig.bus.uri, "1-1.4.2")
        assert (facts.vendor_id, facts.product_id) == (0x1209, 0x0001)
        assert (facts.manufacturer, facts.product, facts.serial) == ("usbprov", "EP-100", "EMU0002")
        assert facts.interfaces == (InterfaceFacts(0, 0, 0xFF, 0x55, 0x01, "provisioning"),)
        assert facts.problem is None

    def test_sorted_by_port_path_as_numbers(self, way: Way):
        places = ["1-10", "2-1", "1-2", "1-2.11", "1-2.3"]
        with way({place: phone(n) for n, place in enumerate(places)}) as rig:
            listed = [device.facts.port_path for device in rig.bus.devices()]
        assert listed == ["1-2", "1-2.3", "1-2.11", "1-10", "2-1"]

    def test_without_any_string(self, way: Way):
        bare = phone(manufacturer=None, product=None, serial=None)
        with way({"1-1": bare}) as rig:
            facts = rig.attached().facts
        assert (facts.manufacturer, facts.product, facts.serial) == (None, None, None)
        assert facts.problem is None
        assert facts.name == "phone 1-1"

    def test_of_a_composite_device(self, way: Way):
        base = phone()
        interfaces = [
            VendorBulkInterface(base.echo, name="provisioning", subclass=0x55, protocol=1),
            CdcAcmInterface(phone().echo, name="console"),
        ]
        device = UsbDevice(DeviceIdentity(0x1209, 0x0002), interfaces)
        with way({"1-1": Phone(device, base.echo)}) as rig:
            facts = rig.attached().facts
            assert [(i.number, i.cls) for i in facts.interfaces] == [(0, 0xFF), (1, 2), (2, 10)]
            link = rig.link()
            link.write(b"hello", 1.0)
            assert link.read(1.0) == b"hello"

    def test_search_leaves_the_phones_alone(self, rig: Rig):
        for _ in range(3):
            assert [d.facts.problem for d in rig.bus.devices()] == [None, None]
        assert rig.phone.device.configuration == 0

    def test_empty_bus(self, way: Way):
        with way({}) as rig:
            assert rig.bus.devices() == ()


@both_ways
class TestBusy:
    def test_second_client_gets_phone_busy(self, rig: Rig, monkeypatch):
        monkeypatch.setattr(urb_backend, "OPENING_PATIENCE", 0.3)
        attached = rig.attached()
        link = rig.link()
        with pytest.raises(PhoneBusy) as caught:
            attached.open_bulk(attached.facts.interfaces[0])
        assert caught.value.phone == attached.facts.name
        link.write(b"undisturbed", 1.0)
        assert link.read(1.0) == b"undisturbed"

    def test_free_again_after_close(self, rig: Rig):
        rig.link().close()
        link = rig.link()
        link.write(b"mine", 1.0)
        assert link.read(1.0) == b"mine"

    def test_listed_with_what_is_known(self, rig: Rig):
        rig.link()
        facts = rig.attached().facts
        assert facts.problem == "in use by another program"
        assert (facts.vendor_id, facts.product_id, facts.serial) == (0x1209, 0x0001, None)
        assert facts.interfaces == (InterfaceFacts(0, 0, 0xFF, 0x55, 0x01),)
        assert rig.attached("1-1.4.2").facts.problem is None

    def test_listed_while_busy_can_be_opened_later(self, rig: Rig):
        link = rig.link()
        attached = rig.attached()
        assert attached.facts.problem
        link.close()
        later = attached.open_bulk(attached.facts.interfaces[0])
        rig.links.append(later)
        later.write(b"mine", 1.0)
        assert later.read(1.0) == b"mine"

    def test_opening_waits_for_a_client_that_is_just_leaving(self, rig: Rig):
        link = rig.link()
        attached = rig.attached()
        timer = threading.Timer(0.2, link.close)
        timer.start()
        later = attached.open_bulk(attached.facts.interfaces[0])
        rig.links.append(later)
        timer.join()
        later.write(b"mine", 1.0)
        assert later.read(1.0) == b"mine"


def lie(**answers: bytes | None):
    """Make a phone whose descriptors of the named kinds (``d1_0``: type, index) are others."""

    def descriptor(kind: int, index: int, true: bytes) -> bytes | None:
        return answers.get(f"d{kind}_{index}", true)

    liar = phone(9)
    liar.device.faults.descriptor = descriptor
    return liar


JUNK = bytes.fromhex("0a0300d8410000d84200")  # half a surrogate pair, twice
CONFIG_LIES = {
    "empty": b"",
    "one byte": b"\x09",
    "another type": bytes.fromhex("090420000101008032"),
    "bLength 0 in it": bytes.fromhex("090220000101008032") + bytes(23),
    "cut in an interface": bytes.fromhex("09020d000101008032 09040000"),
    "stalled": None,
}


@both_ways
class TestHostile:
    """One phone misbehaves; it is listed with a problem, and the other one as ever."""

    def listed(self, way: Way, liar: Phone):
        with way({"1-1": liar, "1-2": phone(2)}) as rig:
            first, second = rig.bus.devices()
        assert second.facts.problem is None
        assert second.facts.serial == "EMU0002"
        assert (first.facts.vendor_id, first.facts.product_id) == (0x1209, 0x0001)
        return first.facts

    @pytest.mark.parametrize("answer", CONFIG_LIES.values(), ids=CONFIG_LIES)
    def test_configuration(self, way: Way, answer):
        facts = self.listed(way, lie(d2_0=answer))
        assert facts.problem is not None
        assert "interfaces cannot be read" in facts.problem
        assert facts.interfaces == ()
        assert facts.serial == "EMU0009"

    @pytest.mark.parametrize("answer", [b"", b"\x12", bytes(18), None])
    def test_device_descriptor(self, way: Way, answer):
        facts = self.listed(way, lie(d1_0=answer))
        assert facts.problem
        assert facts.serial is None

    def test_total_length_beyond_the_truth_is_forgiven(self, way: Way):
        def descriptor(kind: int, index: int, true: bytes) -> bytes:
            return true if kind != CONFIGURATION else true[:2] + b"\xff\xff" + true[4:]

        liar = phone(9)
        liar.device.faults.descriptor = descriptor
        facts = self.listed(way, liar)
        assert facts.problem is None
        assert len(facts.interfaces) == 1

    def test_string_that_is_no_text(self, way: Way):
        facts = self.listed(way, lie(d3_3=JUNK))
        assert facts.problem is not None
        assert "not text" in facts.problem
        assert (facts.manufacturer, facts.product, facts.serial) == ("usbprov", "EP-100", None)

    def test_string_that_is_stalled(self, way: Way):
        facts = self.listed(way, lie(d3_3=None))
        assert facts.problem == "its serial number cannot be read: it refuses the request"
        assert facts.product == "EP-100"

    def test_string_for_terminals(self, way: Way):
        text = "\x1b[2Jx\u202e"
        raw = text.encode("utf-16-le")
        facts = self.listed(way, lie(d3_3=bytes([2 + len(raw), 3]) + raw))
        assert facts.serial == "\ufffd[2Jx\ufffd"

    def test_language_list_without_language_means_english(self, way: Way):
        facts = self.listed(way, lie(d3_0=b"\x02\x03"))
        assert (facts.serial, facts.problem) == ("EMU0009", None)

    def test_device_that_does_not_answer_costs_little(self, way: Way, monkeypatch):
        monkeypatch.setattr(snapshot, "_TIMEOUT", 0.3)
        silent = {f"1-{port}": phone(port) for port in range(3, 9)}
        for each in silent.values():
            each.device.faults.add(Fault(Effect.DROP, endpoint=0))
        began = time.monotonic()
        with way({"1-1": phone(1), **silent}) as rig:
            listed = rig.bus.devices()
        assert time.monotonic() - began < 1.5
        assert [d.facts.problem for d in listed] == [None] + ["it does not answer"] * 6

    def test_device_whose_every_control_request_stalls(self, way: Way):
        liar = phone(9)
        liar.device.faults.add(Fault(Effect.STALL, endpoint=0))
        facts = self.listed(way, liar)
        assert facts.problem == "it refuses the request"
        assert facts.interfaces == (InterfaceFacts(0, 0, 0xFF, 0x55, 0x01),)


class TestExporter:
    def test_not_reached(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        bus = open_bus(f"usbip://127.0.0.1:{port}")
        began = time.monotonic()
        with pytest.raises(BusUnavailable) as caught:
            bus.devices()
        assert time.monotonic() - began < 3.0
        assert caught.value.bus == f"usbip://127.0.0.1:{port}"
        assert caught.value.reason == "Connection refused"

    def test_that_accepts_and_says_nothing(self, monkeypatch):
        assert usbip_client._ANSWER_TIMEOUT < 3.0
        monkeypatch.setattr(usbip_client, "_ANSWER_TIMEOUT", 0.3)
        with socket.create_server(("127.0.0.1", 0)) as server:
            bus = open_bus(f"usbip://127.0.0.1:{server.getsockname()[1]}")
            began = time.monotonic()
            with pytest.raises(BusUnavailable, match="timed out"):
                bus.devices()
            assert 0.25 < time.monotonic() - began < 1.0

    @pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x01\x11"])
    def test_that_is_none(self, answer):
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(64)
                    connection.sendall(answer)

            thread = threading.Thread(target=serve)
            thread.start()
            with pytest.raises(BusUnavailable):
                open_bus(f"usbip://127.0.0.1:{server.getsockname()[1]}").devices()
            thread.join()

    def test_name_that_is_no_host(self):
        with pytest.raises(BusUnavailable):
            open_bus("usbip://no.such.host.invalid").devices()

    def test_ipv6(self):
        with exported({"1-1": phone()}) as rig:
            assert rig.exporter is not None
        from usbprov.emulation.exporter import Exporter

        try:
            exporter = Exporter({"1-1": phone().device}, host="::1").start()
        except Exception as failure:
            pytest.skip(f"no IPv6 loopback here: {failure}")
        with exporter:
            assert exporter.uri.startswith("usbip://[::1]:")
            assert len(open_bus(exporter.uri).devices()) == 1

    def test_hub_is_not_listed(self):
        hub = phone()
        hub.device.faults.descriptor = lambda kind, _index, true: (
            true[:4] + b"\x09" + true[5:] if kind == DEVICE else true
        )
        with in_process({"1-1": hub, "1-1.2": phone(2)}) as rig:
            assert [d.facts.port_path for d in rig.bus.devices()] == ["1-1.2"]

    def test_search_over_two_buses(self):
        with exported({"1-1": phone(1)}) as one, exported({"1-1": phone(2)}) as two:
            found = candidates([one.bus, two.bus], Reach())
        assert [d.facts.serial for d in found] == ["EMU0001", "EMU0002"]
        assert found[0].facts.bus != found[1].facts.bus

    def test_search_names_the_bus_that_failed(self):
        with exported({"1-1": phone(1)}) as one, exported({}) as two:
            assert two.exporter is not None
            two.exporter.close()
            with pytest.raises(BusUnavailable) as caught:
                candidates([one.bus, two.bus], Reach())
        assert caught.value.bus == two.bus.uri


def test_a_list_that_has_not_changed_is_what_it_was():
    with exported({"1-1": phone(1), "1-2": phone(2)}) as rig:
        first = rig.bus.devices()
        assert rig.bus.devices(first) is first
        assert rig.exporter is not None
        rig.exporter.detach("1-1")
        (left,) = rig.bus.devices(first)
        assert left.facts.port_path == "1-2"


def test_a_phone_that_could_not_be_read_is_tried_again(monkeypatch):
    with exported({"1-1": phone(1)}) as rig:
        with monkeypatch.context() as unreadable:
            unreadable.setattr(PyusbBus, "_read", lambda *_: None)
            nothing = rig.bus.devices()
            assert nothing == ()
        (found,) = rig.bus.devices(nothing)
        assert found.facts.serial == "EMU0001"
