"""``usbprov lab phone`` wants to be told where, and says what a computer lacks for a gadget."""

import json
import os
from pathlib import Path

import pytest

from usbprov.cli.main import run
from usbprov.emulation import gadget_configfs

Printed = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Give either --gadget or --pty."),
        (("--pty", "--gadget"), "Give either --gadget or --pty."),
        (("--gadget", "dummy_udc.0", "--link-name", "phone"), "--link-name goes with --pty."),
    ],
)
def test_one_place_must_be_named(arguments: tuple[str, ...], words: str, capsys: Printed) -> None:
    assert run(["lab", "phone", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    (tmp_path / "gadgets").mkdir()
    monkeypatch.setattr(gadget_configfs, "_GADGETS", tmp_path / "gadgets")
    monkeypatch.setattr(gadget_configfs, "_CONTROLLERS", tmp_path / "udc")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    folder = str(tmp_path / "phone")
    assert run(["lab", "phone", "--gadget", "--dir", folder, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["error"]["code"] == "LAB-03"
    assert "dtoverlay=dwc2" in told["error"]["message"]
