"""``usbprov check bus`` as it is typed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sysfs_trees import MadeUp, lay_file

from usbprov.cli.main import run
from usbprov.errors import ExitCode
from usbprov.usb import controllers, sysfs


@pytest.fixture
def look_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Let the program look at another tree than this computer's."""

    def look(root: Path) -> None:
        for module, name in (
            (sysfs, "read_tree"),
            (controllers, "read_limits"),
            (controllers, "usbfs_memory"),
        ):
            read = getattr(module, name)
            monkeypatch.setattr(module, name, lambda *of, read=read: read(*of, root))

    return look


def test_a_table_and_the_checks(
    look_at: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    look_at(lay_file("qemu", tmp_path))
    assert run(["check", "bus"]) == ExitCode.DONE
    out = capsys.readouterr().out
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert lines["pci-0000:00:08.0"] == ["3", "5", "7/7", "9/127", "8/64", "16/96*", "13"]
    assert lines["platform-vhci_hcd.0"][-1] == "(12)"
    assert "as attached, 6 endpoints each" in out  # three emulated phones
    assert all(len(line) <= 80 for line in out.partition("\n\n")[0].splitlines())


def test_as_json(
    look_at: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    look_at(lay_file("qemu", tmp_path))
    assert run(["check", "bus", "--kind", "serial", "--phones", "9", "--json"]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["outcome"] == "good"
    assert document["kind"] == {"name": "serial", "endpoints": 4, "serial_ports": 1}
    chain = next(c for c in document["controllers"] if c["name"] == "pci-0000:00:08.0")
    assert chain["hubs"] == [f"21-1{path}" for path in ("", ".2", ".2.1", ".2.1.1", ".2.1.1.1")]
    assert chain["room"] == {"phones": 20, "bound_by": "endpoints"}
    assert {"what": "device slots", "used": 8, "limit": 64, "per_phone": 1}.items() <= (
        chain["budgets"][1].items()
    )
    assert document["checks"][-1]["name"] == "configuration"


def test_no_room_is_exit_code_8(
    look_at: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = MadeUp()
    tree.controller("devices/pci0000:00/0000:00:14.0", (1, 480, 14), slots=32)
    look_at(tree.lay(tmp_path))
    assert run(["check", "bus", "--phones", "16"]) == ExitCode.CHECK
    told = capsys.readouterr()
    assert "16 are asked for" in told.out
    assert "CHK-05" in told.err


def test_a_computer_without_usb(
    look_at: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    look_at(tmp_path)
    assert run(["check", "bus", "--json"]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["controllers"] == []
    assert document["checks"][0]["verdict"] == "unknown"
