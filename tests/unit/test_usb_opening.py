"""Opening a device of this computer: who is waited for, who is named, and power saving."""

import logging
from pathlib import Path

import pytest

from usbprov.errors import AccessDenied, PhoneBusy
from usbprov.usb import opening
from usbprov.usb.holders import Holder
from usbprov.usb.opening import HeldLink, kept_awake, open_patiently

NODE, PHONE = "/dev/ttyACM0", "phone 1-1"
PROBER = Holder(7, "ModemManager")


class Link:
    name = PHONE
    closed = 0

    def write(self, data: bytes, timeout: float) -> None: ...
    def read(self, timeout: float) -> bytes:
        return b"read"

    def resync(self) -> None: ...
    def close(self) -> None:
        self.closed += 1


class World:
    """A clock that sleeping moves on, and processes that hold the node until some time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.free_at = 0.0
        self.holders: tuple[Holder, ...] = ()
        self.running: tuple[Holder, ...] = ()
        self.tries = 0
        monkeypatch.setattr(opening.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(opening.time, "sleep", self.sleep)
        monkeypatch.setattr(opening, "holders_of", lambda node: self.holders)
        monkeypatch.setattr(opening, "processes_named", lambda name: self.running)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def open(self) -> Link:
        self.tries += 1
        if self.now < self.free_at:
            raise PhoneBusy(PHONE)
        return Link()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


class TestPatience:
    def test_free(self, world):
        assert open_patiently(world.open, NODE, PHONE).read(1.0) == b"read"
        assert world.tries == 1

    def test_modemmanager_is_waited_for_and_that_is_said_once(self, world, caplog):
        world.free_at, world.holders = world.now + 20, (PROBER,)
        with caplog.at_level(logging.WARNING):
            open_patiently(world.open, NODE, PHONE)
        assert 1020 <= world.now < 1021
        (said,) = caplog.messages
        assert said.startswith("phone 1-1: ModemManager looks for a modem behind /dev/ttyACM0")

    def test_but_not_for_ever(self, world):
        world.free_at, world.holders = world.now + 100, (PROBER,)
        with pytest.raises(PhoneBusy) as caught:
            open_patiently(world.open, NODE, PHONE)
        assert 1030 <= world.now < 1031
        assert caught.value.holder == "ModemManager (process 7)"

    def test_holder_that_this_user_cannot_see_may_be_modemmanager(self, world):
        world.free_at, world.running = world.now + 5, (PROBER,)
        open_patiently(world.open, NODE, PHONE)
        assert world.now >= 1005

    def test_any_other_holder_is_named_at_once(self, world):
        world.free_at, world.running = world.now + 5, (PROBER,)
        world.holders = (Holder(8, "minicom"), Holder(9, "screen"))
        with pytest.raises(PhoneBusy) as caught:
            open_patiently(world.open, NODE, PHONE)
        assert caught.value.holder == "minicom (process 8), screen (process 9)"
        assert (world.tries, world.now) == (1, 1000)

    def test_holder_that_nobody_knows(self, world):
        world.free_at = world.now + 5
        with pytest.raises(PhoneBusy) as caught:
            open_patiently(world.open, NODE, PHONE)
        assert caught.value.holder == "another program"
        assert world.tries == 1

    def test_other_errors_are_not_waited_for(self, world):
        def denied() -> Link:
            raise AccessDenied(PHONE)

        world.holders = (PROBER,)
        with pytest.raises(AccessDenied):
            open_patiently(denied, NODE, PHONE)


class TestAwake:
    @pytest.fixture
    def control(self, tmp_path: Path) -> Path:
        control = tmp_path / "power" / "control"
        control.parent.mkdir()
        return control

    def test_as_long_as_the_block(self, tmp_path, control):
        control.write_text("auto\n")
        with kept_awake(tmp_path):
            assert control.read_text() == "on"
        assert control.read_text() == "auto"

    def test_what_is_awake_stays_so(self, tmp_path, control):
        control.write_text("on\n")
        with kept_awake(tmp_path):
            pass
        assert control.read_text() == "on\n"

    def test_nothing_to_be_done(self, tmp_path):
        with kept_awake(tmp_path):
            assert list(tmp_path.iterdir()) == []

    def test_user_who_may_not(self, tmp_path, control, monkeypatch):
        control.write_text("auto\n")

        def refuse(*_: object) -> None:
            raise PermissionError

        monkeypatch.setattr(Path, "write_text", refuse)
        with kept_awake(tmp_path):
            assert control.read_text() == "auto\n"

    def test_device_that_was_unplugged_meanwhile(self, tmp_path, control):
        control.write_text("auto\n")
        with kept_awake(tmp_path):
            control.unlink()
            control.parent.rmdir()


class TestHeldLink:
    def test_passes_on_and_undoes_the_rest(self):
        link, undone = Link(), []
        held = HeldLink(link, lambda: undone.append(True))
        assert (held.name, held.read(1.0)) == (PHONE, b"read")
        held.close()
        assert undone == [True]
        assert link.closed == 0  # that is for the one who made it to undo
