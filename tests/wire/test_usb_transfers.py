"""Transfers with an emulated phone, over both of our backends."""

import errno
import threading
import time

import pytest
import usb.core
import usb.util
from usb_support import Rig, Way, both_ways, eventually, phone

from usbprov.emulation.faults import Effect, Fault
from usbprov.errors import LinkBroken, LinkTimeout, PhoneGone
from usbprov.usbip import Direction

OUT, IN = 0x01, 0x81


@pytest.fixture
def rig(way: Way):
    with way({"1-1": phone()}) as made:
        yield made


def pattern(size: int) -> bytes:
    return bytes(i * 7 % 251 for i in range(size))


def read_all(link, size: int) -> bytes:
    got = b""
    while len(got) < size:
        got += link.read(2.0)
    return got


@both_ways
class TestEcho:
    @pytest.mark.parametrize("size", [1, 63, 64, 511, 512, 513, 1024, 4096, 16384, 16385, 65536])
    def test_comes_back_whole(self, rig: Rig, size):
        link = rig.link()
        link.write(pattern(size), 2.0)
        assert read_all(link, size) == pattern(size)
        assert rig.phone.echo.received == [pattern(size)]

    def test_many_in_a_row_keep_their_order(self, rig: Rig):
        link = rig.link()
        for number in range(1, 100):
            link.write(pattern(number), 2.0)
            assert link.read(2.0) == pattern(number)

    def test_transfer_longer_than_one_urb(self, rig: Rig):
        link = rig.link()
        rig.phone.echo.answer = lambda data: b"got it"
        link.write(pattern(700_000), 5.0)
        assert link.read(5.0) == b"got it"
        assert rig.phone.echo.received == [pattern(700_000)]

    def test_without_the_zero_length_packet_the_phone_still_waits(self, rig: Rig):
        # The rule is worth nothing if the emulated phone does not need it.
        device = rig.device
        device.write(OUT, pattern(512), 1000)
        with pytest.raises(usb.core.USBTimeoutError):
            device.read(IN, 1024, 100)
        assert rig.phone.echo.received == []
        device.write(OUT, b"", 1000)
        assert bytes(device.read(IN, 1024, 1000)) == pattern(512)


@both_ways
class TestTimeOut:
    def test_nothing_came(self, rig: Rig):
        link = rig.link()
        began = time.monotonic()
        with pytest.raises(LinkTimeout) as caught:
            link.read(0.1)
        assert 0.09 < time.monotonic() - began < 1.0
        assert caught.value.seconds == 0.1
        assert caught.value.phone == "phone 1-1 (serial EMU0001)"

    def test_link_works_afterwards(self, rig: Rig):
        link = rig.link()
        with pytest.raises(LinkTimeout):
            link.read(0.02)
        link.write(b"again", 1.0)
        assert link.read(1.0) == b"again"

    def test_late_answer_comes_once_with_the_next_read(self, rig: Rig):
        link = rig.link()
        rig.phone.echo.answer = lambda data: None
        link.write(b"question", 1.0)
        with pytest.raises(LinkTimeout):
            link.read(0.02)
        rig.phone.echo.send(b"late")
        assert link.read(1.0) == b"late"
        with pytest.raises(LinkTimeout):
            link.read(0.02)

    def test_resync_throws_the_late_answer_away(self, rig: Rig):
        link = rig.link()
        rig.phone.echo.answer = lambda data: None
        link.write(b"question", 1.0)
        with pytest.raises(LinkTimeout):
            link.read(0.02)
        rig.phone.echo.send(b"late")
        rig.phone.echo.answer = lambda data: data
        link.resync()
        link.write(b"next question", 1.0)
        assert link.read(1.0) == b"next question"

    def test_resync_makes_the_phone_forget_half_a_transfer(self, rig: Rig):
        link = rig.link()
        link._send(pattern(512), time.monotonic() + 1, 1.0)  # and no packet that ends it
        link.resync()
        link.write(b"whole", 1.0)
        assert link.read(1.0) == b"whole"
        assert rig.phone.echo.received == [b"whole"]
        assert rig.phone.echo.resets >= 1

    def test_delayed_answer_of_a_control_request(self, rig: Rig):
        device = rig.device
        assert device.serial_number == "EMU0001"
        rig.phone.device.faults.add(Fault(Effect.DROP, endpoint=0, times=1))
        with pytest.raises(usb.core.USBTimeoutError) as caught:
            device.ctrl_transfer(0x80, 0, 0, 0, 2, timeout=50)
        assert caught.value.errno == errno.ETIMEDOUT
        assert len(device.ctrl_transfer(0x80, 0, 0, 0, 2, timeout=1000)) == 2

    def test_data_at_the_moment_of_the_time_out_is_neither_lost_nor_doubled(self, rig: Rig):
        link = rig.link()
        rig.phone.echo.answer = lambda data: None
        sent = [b"%03d" % number for number in range(150)]
        got = []
        for number, data in enumerate(sent):
            delay = 0.001 + 0.00005 * (number % 40)
            timer = threading.Timer(delay, rig.phone.echo.send, (data,))
            timer.start()
            try:
                got.append(link.read(0.002))
            except LinkTimeout:
                timer.join()
                got.append(link.read(1.0))
            timer.join()
        assert got == sent


@both_ways
class TestStall:
    @pytest.mark.parametrize("endpoint", [OUT, IN])
    def test_stays_until_cleared(self, rig: Rig, endpoint):
        device = rig.device
        device.get_active_configuration()
        rig.phone.device.faults.add(Fault(Effect.STALL, endpoint=endpoint, times=1))
        for _ in range(2):
            with pytest.raises(usb.core.USBError) as caught:
                device.read(IN, 512, 200) if endpoint == IN else device.write(OUT, b"x", 200)
            assert caught.value.errno == errno.EPIPE
            assert not isinstance(caught.value, usb.core.USBTimeoutError)
        device.clear_halt(endpoint)
        device.write(OUT, b"good", 200)
        assert bytes(device.read(IN, 512, 200)) == b"good"

    def test_link_says_that_it_is_broken_and_resync_mends_it(self, rig: Rig):
        link = rig.link()
        rig.phone.device.faults.add(Fault(Effect.STALL, endpoint=IN, times=1))
        link.write(b"lost", 1.0)
        with pytest.raises(LinkBroken):
            link.read(1.0)
        link.resync()
        link.write(b"good", 1.0)
        assert link.read(1.0) == b"good"

    def test_unknown_control_request_is_refused(self, rig: Rig):
        device = rig.device
        with pytest.raises(usb.core.USBError) as caught:
            device.ctrl_transfer(0xC0, 0x77, 0, 0, 8, timeout=500)
        assert caught.value.errno == errno.EPIPE

    def test_phone_that_does_not_know_resync_is_drained_nevertheless(self, rig: Rig):
        link = rig.link()
        rig.phone.device.faults.add(Fault(Effect.STALL, endpoint=0, request=0x52))
        rig.phone.echo.answer = lambda data: None
        link.write(b"question", 1.0)
        rig.phone.echo.send(b"old")
        link.resync()
        with pytest.raises(LinkTimeout):
            link.read(0.05)


@both_ways
class TestBabble:
    def test_is_an_overflow(self, rig: Rig):
        device = rig.device
        rig.phone.device.faults.add(Fault(Effect.BABBLE, endpoint=IN, times=1))
        device.write(OUT, b"x", 500)
        with pytest.raises(usb.core.USBError) as caught:
            device.read(IN, 512, 500)
        assert caught.value.errno == errno.EOVERFLOW

    def test_link_recovers(self, rig: Rig):
        link = rig.link()
        rig.phone.device.faults.add(Fault(Effect.BABBLE, endpoint=IN, times=1))
        link.write(b"x", 1.0)
        with pytest.raises(LinkBroken):
            link.read(1.0)
        link.resync()
        link.write(b"good", 1.0)
        assert link.read(1.0) == b"good"


@both_ways
class TestUnplug:
    def test_while_reading(self, rig: Rig):
        link = rig.link()
        timer = threading.Timer(0.05, rig.phone.device.unplug)
        timer.start()
        began = time.monotonic()
        with pytest.raises(PhoneGone):
            link.read(5.0)
        assert time.monotonic() - began < 1.0
        timer.join()
        for _ in range(2):
            with pytest.raises(PhoneGone):
                link.write(b"x", 1.0)
        with pytest.raises(PhoneGone):
            link.resync()
        link.close()

    def test_within_a_long_write(self, rig: Rig):
        link = rig.link()
        rig.phone.device.faults.unplug_after(300_000, Direction.OUT)
        began = time.monotonic()
        with pytest.raises(PhoneGone):
            link.write(bytes(1 << 20), 5.0)
        assert time.monotonic() - began < 1.0

    def test_errno_is_that_of_libusb(self, rig: Rig):
        device = rig.device
        device.get_active_configuration()
        rig.phone.device.unplug()
        with pytest.raises(usb.core.USBError) as caught:
            device.read(IN, 512, 1000)
        assert caught.value.errno == errno.ENODEV

    def test_listed_again_after_it_was_plugged_in_and_the_old_link_stays_dead(self, rig: Rig):
        link = rig.link()
        rig.phone.device.unplug()
        assert rig.bus.devices() == ()
        rig.phone.device.plug()
        with pytest.raises(PhoneGone):
            link.read(0.1)
        link.close()
        again = rig.link()
        again.write(b"back", 1.0)
        assert again.read(1.0) == b"back"

    def test_open_of_what_was_unplugged_since_the_search(self, rig: Rig):
        attached = rig.attached()
        rig.phone.device.unplug()
        with pytest.raises(PhoneGone):
            attached.open_bulk(attached.facts.interfaces[0])


@both_ways
class TestThreads:
    def test_one_thread_a_phone(self, way: Way):
        places = [f"1-{port}" for port in range(1, 6)]
        failures = []

        def talk(link, name: bytes) -> None:
            try:
                for number in range(25):
                    message = name * (number + 1)
                    link.write(message, 5.0)
                    assert link.read(5.0) == message
            except BaseException as failure:
                failures.append(failure)

        with way({place: phone(n) for n, place in enumerate(places, 1)}) as rig:
            threads = [
                threading.Thread(target=talk, args=(rig.link(place), place.encode()))
                for place in places
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert failures == []

    def test_close_ends_a_read_of_another_thread(self, rig: Rig):
        device = rig.device
        device.get_active_configuration()
        caught = []

        def read() -> None:
            try:
                device.read(IN, 512, 0)
            except usb.core.USBError as failure:
                caught.append(failure.errno)

        thread = threading.Thread(target=read)
        thread.start()
        assert eventually(lambda: bool(rig.phone.device._state.pending))
        # pyusb's own lock is not held during a transfer.
        usb.util.dispose_resources(device)
        thread.join(5.0)
        assert caught == [errno.ENODEV]
