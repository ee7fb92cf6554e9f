"""The bulk link over a device that does what a test tells it."""

import errno
from array import array
from types import SimpleNamespace

import pytest
import usb.core
import usb.util

from usbprov.errors import AccessDenied, LinkBroken, LinkTimeout, PhoneBusy, PhoneGone
from usbprov.usb import bulk
from usbprov.usb.bulk import BulkLink
from usbprov.usb.devices import InterfaceFacts

FACTS = InterfaceFacts(2, 0, 0xFF, 0x55, 0x01)
GONE = usb.core.USBError("gone", None, errno.ENODEV)
TIMEOUT = usb.core.USBTimeoutError("timed out", None, errno.ETIMEDOUT)
STALL = usb.core.USBError("stall", None, errno.EPIPE)


def fill(buffer: array, data: bytes) -> int:
    """Do as pyusb with a buffer that is brought along."""
    buffer[: len(data)] = array("B", data)
    return len(data)


class Setting:
    """An alternate setting as pyusb has it."""

    def __init__(self, device, number: int, alternate: int, *endpoints: tuple[int, int, int]):
        self.device = device
        self.bInterfaceNumber = number
        self.bAlternateSetting = alternate
        self._endpoints = endpoints

    def __iter__(self):
        for address, attributes, size in self._endpoints:
            yield SimpleNamespace(
                bEndpointAddress=address, bmAttributes=attributes, wMaxPacketSize=size
            )

    def set_altsetting(self) -> None:
        self.device.log.append(("set_altsetting", self.bInterfaceNumber, self.bAlternateSetting))


PAIR = ((0x02, 2, 512), (0x81, 2, 512))


class Device:
    """Notes what is done to it; ``fail`` names what raises, ``reads`` is what comes in."""

    def __init__(self, *settings: tuple, driver: bool = False) -> None:
        self.log: list[tuple] = []
        self.fail: dict[str, Exception] = {}
        self.reads: list[bytes | Exception] = []
        self.short = 0
        self.driver = driver
        self.configured = True
        self._settings = [Setting(self, *setting) for setting in settings or ((2, 0, *PAIR),)]
        self._ctx = self

    def _note(self, *what) -> None:
        self.log.append(what)
        if what[0] in self.fail:
            raise self.fail[what[0]]

    def get_active_configuration(self):
        if not self.configured:
            raise usb.core.USBError("Configuration not set")
        return iter(self._settings)

    def set_configuration(self) -> None:
        self._note("set_configuration")
        self.configured = True

    def is_kernel_driver_active(self, number: int) -> bool:
        self._note("is_active", number)
        return self.driver

    def detach_kernel_driver(self, number: int) -> None:
        self._note("detach", number)

    def attach_kernel_driver(self, number: int) -> None:
        self._note("attach", number)

    def managed_claim_interface(self, device, number) -> None:
        self._note("claim", number)

    def managed_release_interface(self, device, number) -> None:
        self._note("release", number)

    def dispose(self, device) -> None:
        self._note("dispose")

    def write(self, endpoint: int, data: bytes, timeout: int) -> int:
        assert timeout >= 1
        self._note("write", endpoint, len(data))
        return len(data) - self.short

    def read(self, endpoint: int, buffer: array, timeout: int) -> int:
        assert timeout >= 1
        self._note("read", endpoint, len(buffer))
        item = self.reads.pop(0) if self.reads else TIMEOUT
        if isinstance(item, Exception):
            raise item
        return fill(buffer, item)

    def ctrl_transfer(self, kind, request, value, index, data, timeout) -> int:
        self._note("control", kind, request, value, index)
        return 0

    def clear_halt(self, endpoint: int) -> None:
        self._note("clear_halt", endpoint)


def opened(device: Device, facts: InterfaceFacts = FACTS) -> BulkLink:
    return BulkLink.open(device, facts, "phone 1-1")


class TestOpen:
    def test_claims_and_gives_back_in_the_right_order(self):
        device = Device(driver=True)
        opened(device).close()
        assert [entry[0] for entry in device.log] == [
            "is_active",
            "detach",
            "claim",
            "release",
            "attach",
            "dispose",
        ]
        assert {entry[1] for entry in device.log[:-1]} == {2}

    def test_close_twice(self):
        device = Device()
        link = opened(device)
        link.close()
        link.close()
        assert [e[0] for e in device.log].count("release") == 1

    def test_close_of_a_phone_that_is_gone(self):
        device = Device(driver=True)
        link = opened(device)
        device.fail = {"release": GONE, "attach": GONE, "dispose": GONE}
        link.close()
        assert device.log[-1] == ("dispose",)

    def test_no_kernel_driver_is_touched_where_there_is_none(self):
        device = Device()
        opened(device).close()
        assert not {"detach", "attach"} & {entry[0] for entry in device.log}

    def test_platform_without_kernel_drivers(self):
        device = Device()
        device.fail["is_active"] = NotImplementedError("is_kernel_driver_active")
        opened(device)

    def test_alternate_setting_is_chosen_where_there_is_a_choice(self):
        device = Device((2, 0), (2, 1, *PAIR))
        opened(device, InterfaceFacts(2, 1, 0xFF, 0x55, 0x01))
        assert device.log[-2:] == [("claim", 2), ("set_altsetting", 2, 1)]

    def test_device_without_a_configuration(self):
        device = Device()
        device.configured = False
        opened(device)
        assert ("set_configuration",) in device.log

    @pytest.mark.parametrize(
        "endpoints",
        [
            (),
            PAIR[:1],
            PAIR[1:],
            (*PAIR, (0x83, 2, 512)),
            (*PAIR, (0x03, 2, 512)),
            ((0x02, 2, 0), (0x81, 2, 512)),
            ((0x02, 3, 64), (0x81, 3, 64)),
        ],
    )
    def test_not_one_pair(self, endpoints):
        device = Device((2, 0, *endpoints))
        with pytest.raises(LinkBroken):
            opened(device)
        assert device.log[-1] == ("dispose",)

    def test_interrupt_endpoints_do_not_count(self):
        opened(Device((2, 0, (0x83, 3, 16), *PAIR)))

    def test_no_such_interface(self):
        with pytest.raises(LinkBroken, match=r"no interface 7\.0"):
            opened(Device(), InterfaceFacts(7, 0, 0xFF, 0, 0))

    @pytest.mark.parametrize(
        ("number", "kind"),
        [(errno.EBUSY, PhoneBusy), (errno.EACCES, AccessDenied), (errno.ENODEV, PhoneGone)],
    )
    @pytest.mark.parametrize("step", ["is_active", "detach", "claim"])
    def test_refused(self, step, number, kind):
        device = Device(driver=True)
        device.fail[step] = usb.core.USBError("no", None, number)
        with pytest.raises(kind):
            opened(device)
        assert device.log[-1] == ("dispose",)

    def test_device_that_does_not_answer(self):
        device = Device()
        device.fail["claim"] = TIMEOUT
        with pytest.raises(LinkBroken, match="it does not answer"):
            opened(device)

    def test_kernel_driver_comes_back_when_the_claim_fails(self):
        device = Device(driver=True)
        device.fail["claim"] = usb.core.USBError("busy", None, errno.EBUSY)
        with pytest.raises(PhoneBusy):
            opened(device)
        assert device.log[-2:] == [("attach", 2), ("dispose",)]


class TestWrite:
    @pytest.mark.parametrize(
        ("size", "writes"),
        [
            (1, [1]),
            (511, [511]),
            (512, [512, 0]),
            (513, [513]),
            (1024, [1024, 0]),
            (65536, [65536, 0]),
            (0, [0]),
        ],
    )
    def test_zero_length_packet_after_whole_packets(self, size, writes):
        device = Device()
        opened(device).write(bytes(size), 1.0)
        assert [e[2] for e in device.log if e[0] == "write"] == writes

    def test_packet_size_is_that_of_the_out_endpoint_without_the_upper_bits(self):
        device = Device((2, 0, (0x02, 2, 0x1800 | 64), (0x81, 2, 512)))
        opened(device).write(bytes(128), 1.0)
        assert [e[2] for e in device.log if e[0] == "write"] == [128, 0]

    def test_short_write_is_a_time_out(self):
        device = Device()
        link = opened(device)
        device.short = 100
        with pytest.raises(LinkTimeout):
            link.write(bytes(700), 1.0)


class TestRead:
    def test_a_shorter_transfer_has_nothing_of_the_one_before(self):
        device = Device()
        device.reads = [b"the first", b"then"]
        link = opened(device)
        assert [link.read(1.0), link.read(1.0)] == [b"the first", b"then"]

    def test_skips_transfers_of_no_bytes(self):
        device = Device()
        device.reads = [b"", b"", b"data"]
        assert opened(device).read(1.0) == b"data"

    @pytest.mark.parametrize(("packet", "size"), [(512, 16384), (64, 16384), (1023, 17391)])
    def test_buffer_is_of_whole_packets(self, packet, size):
        device = Device((2, 0, (0x02, 2, 512), (0x81, 2, packet)))
        device.reads = [b"x"]
        opened(device).read(1.0)
        assert device.log[-1] == ("read", 0x81, size)

    def test_transfers_of_no_bytes_without_end(self, monkeypatch):
        device = Device()
        monkeypatch.setattr(device, "read", lambda *_: 0)
        with pytest.raises(LinkTimeout):
            opened(device).read(0.05)

    def test_no_time_at_all(self):
        with pytest.raises(LinkTimeout):
            opened(Device()).read(0.0)


class TestResync:
    def test_asks_clears_and_drains(self):
        device = Device()
        link = opened(device)
        device.log.clear()
        device.reads = [b"old", b"older"]
        link.resync()
        assert [e for e in device.log if e[0] != "read"] == [
            ("control", 0x41, 0x52, 0, 2),
            ("clear_halt", 0x02),
            ("clear_halt", 0x81),
        ]
        assert len([e for e in device.log if e[0] == "read"]) == 3

    def test_endpoint_halts_while_it_is_drained(self):
        device = Device()
        link = opened(device)
        device.reads = [b"old", STALL, b"older"]
        link.resync()
        assert [e for e in device.log if e[0] == "clear_halt"] == [
            ("clear_halt", 0x02),
            ("clear_halt", 0x81),
        ] * 2

    def test_phone_that_never_stops_sending(self, monkeypatch):
        monkeypatch.setattr(bulk, "_DRAIN_TIMEOUT", 0.05)
        device = Device()
        link = opened(device)
        monkeypatch.setattr(device, "read", lambda _, buffer, __: fill(buffer, b"x"))
        with pytest.raises(LinkBroken, match="does not stop sending"):
            link.resync()

    @pytest.mark.parametrize(
        ("failure", "kind"), [(TIMEOUT, LinkTimeout), (GONE, PhoneGone)], ids=["time-out", "gone"]
    )
    def test_request_fails(self, failure, kind):
        device = Device()
        link = opened(device)
        device.fail["control"] = failure
        with pytest.raises(kind):
            link.resync()

    def test_request_is_not_known(self):
        device = Device()
        link = opened(device)
        device.fail["control"] = STALL
        link.resync()
        assert ("clear_halt", 0x81) in device.log


class TestPulledCable:
    """What is under way when a cable is pulled fails as on a disturbed line, at first."""

    DISTURBED = usb.core.USBError("Input/Output Error", None, errno.EIO)
    NOISE = usb.core.USBError("Overflow", None, errno.EOVERFLOW)
    NAMELESS = usb.core.USBError("Other error", -99, None)
    NOT_FOUND = usb.core.USBError("Entity not found", None, errno.ENOENT)

    def link_over(self, monkeypatch, *answers, first=DISTURBED) -> tuple[Device, BulkLink]:
        device = Device()
        asked = iter(answers)

        def control(kind, request, *_) -> bytes:
            device.log.append(("control", kind, request))
            answer = next(asked)
            if isinstance(answer, Exception):
                raise answer
            return answer

        device.ctrl_transfer = control
        device.reads = [first]
        monkeypatch.setattr(bulk.time, "sleep", lambda seconds: None)
        return device, opened(device)

    def test_is_told_once_the_host_has_noticed(self, monkeypatch):
        device, link = self.link_over(monkeypatch, self.DISTURBED, TIMEOUT, GONE)
        with pytest.raises(PhoneGone):
            link.read(1)
        assert device.log[-3:] == [("control", 0x80, 0)] * 3

    @pytest.mark.parametrize("first", [DISTURBED, NOISE, NAMELESS, NOT_FOUND, STALL])
    def test_is_known_however_the_transfer_fails(self, monkeypatch, first):
        _, link = self.link_over(monkeypatch, GONE, first=first)
        with pytest.raises(PhoneGone):
            link.read(1)

    @pytest.mark.parametrize("first", [DISTURBED, NOISE, NAMELESS, NOT_FOUND, STALL])
    def test_is_not_suspected_of_a_device_that_answers(self, monkeypatch, first):
        device, link = self.link_over(monkeypatch, bytes(2), first=first)
        with pytest.raises(LinkBroken):
            link.read(1)
        assert device.log[-1] == ("control", 0x80, 0)

    @pytest.mark.parametrize("first", [DISTURBED, NAMELESS])
    def test_is_known_where_a_halt_cannot_be_cleared(self, monkeypatch, first):
        device, link = self.link_over(monkeypatch, b"", GONE)
        device.fail["clear_halt"] = first
        with pytest.raises(PhoneGone):
            link.resync()

    def test_is_not_waited_for_without_end(self, monkeypatch):
        monkeypatch.setattr(bulk, "_NOTICE", 0.01)
        _, link = self.link_over(monkeypatch, *[self.DISTURBED] * 100_000)
        with pytest.raises(LinkBroken):
            link.read(1)

    def test_is_not_suspected_while_a_phone_is_only_slow(self, monkeypatch):
        device, link = self.link_over(monkeypatch, first=TIMEOUT)
        with pytest.raises(LinkTimeout):
            link.read(1)
        assert device.log[-1][0] == "read"
