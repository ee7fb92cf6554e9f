"""What a computer lacks is said before anything is changed, with what to do about it."""

import os
from pathlib import Path

import pytest
from doubles.usb_device import Recorder, phone_like

from usbprov.emulation import gadget_configfs
from usbprov.emulation.gadget import Gadget
from usbprov.errors import GadgetUnusable


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer with two device controllers, run by root."""
    (tmp_path / "gadgets").mkdir()
    for name in ("20980000.usb", "fe980000.usb"):
        (tmp_path / "udc" / name).mkdir(parents=True)
    monkeypatch.setattr(gadget_configfs, "_GADGETS", tmp_path / "gadgets")
    monkeypatch.setattr(gadget_configfs, "_CONFIGFS", tmp_path / "configfs")
    monkeypatch.setattr(gadget_configfs, "_CONTROLLERS", tmp_path / "udc")
    monkeypatch.setattr(gadget_configfs, "_load_modules", lambda: None)
    monkeypatch.setattr(gadget_configfs, "_mount", lambda source, target, kind: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def refusal(controller: str | None = None) -> GadgetUnusable:
    with pytest.raises(GadgetUnusable) as refused:
        Gadget(phone_like(Recorder()), "usbprov-1", controller)
    assert refused.value.fix in str(refused.value)
    return refused.value


def test_who_is_not_root(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "sudo" in refusal().fix


def test_a_kernel_without_gadgets(board: Path) -> None:
    (board / "gadgets").rmdir()
    assert "modprobe libcomposite" in refusal().fix


def test_a_computer_without_a_device_port(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gadget_configfs, "_CONTROLLERS", board / "nothing")
    assert "dtoverlay=dwc2" in refusal().fix


def test_several_controllers_and_none_named(board: Path) -> None:
    said = refusal()
    assert said.problem == "several USB device controllers"
    assert said.fix == "Name one of: 20980000.usb, fe980000.usb"


def test_a_controller_that_is_not_there(board: Path) -> None:
    assert refusal("dummy_udc.0").problem == "no USB device controller 'dummy_udc.0'"


def test_the_one_that_is_named_is_taken(board: Path) -> None:
    assert Gadget(phone_like(Recorder()), "usbprov-1", "fe980000.usb").controller == "fe980000.usb"


def test_the_only_one_need_not_be_named(board: Path) -> None:
    (board / "udc" / "fe980000.usb").rmdir()
    assert Gadget(phone_like(Recorder()), "usbprov-1").controller == "20980000.usb"


def test_a_gadget_that_another_process_has(board: Path) -> None:
    with gadget_configfs.one_process("test"):
        with (
            pytest.raises(GadgetUnusable, match="another process has the gadget test"),
            gadget_configfs.one_process("test"),
        ):
            pass
        with gadget_configfs.one_process("other"):
            pass
