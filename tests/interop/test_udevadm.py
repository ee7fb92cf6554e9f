"""What udev itself says of the rules: its own parser, on folders that only the test sees."""

import json
import subprocess
from typing import Any

import pytest
from networks import need
from processes import STARTED

_FOLDER = "/run/udev/rules.d"
_ALONE = (
    "mkdir -p /run/udev && mount -t tmpfs none /run/udev && mount -t tmpfs none /etc/udev"
    f" && mkdir {_FOLDER} /etc/udev/rules.d && "
)


def in_own_udev_folders(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script that sees no rules but the system's and its own; ``usbprov`` is the program."""
    usbprov = f'usbprov() {{ {" ".join(STARTED)} "$@"; }}; '
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", usbprov + _ALONE + script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(autouse=True)
def _tools() -> None:
    need("unshare", "udevadm")


def checks(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return {check["name"]: check for check in json.loads(ended.stdout)["checks"]}


def test_udev_takes_every_line() -> None:
    ended = in_own_udev_folders(
        f"usbprov udev install --dir {_FOLDER} >&2; usbprov udev check --json"
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = checks(ended)
    assert {name: check["verdict"] for name, check in found.items()} == {
        "rules 60-usbprov.rules": "good",
        "rules 70-usbprov.rules": "good",
        "udev's opinion": "good",
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('s/GROUP="plugdev"/GROUP="no-such-group"/', "no-such-group"),
        ('s/SUBSYSTEM=="tty"/SUBSYSTEM="tty"/', "Invalid operator for SUBSYSTEM"),
        ("s/^LABEL.*//", "no matching label"),
    ],
)
def test_what_udev_would_ignore_is_found(change: str, said: str) -> None:
    ended = in_own_udev_folders(
        f"usbprov udev install --dir {_FOLDER} >&2; sed -i '{change}' {_FOLDER}/70-usbprov.rules;"
        " usbprov udev check --json"
    )
    assert ended.returncode == 8, ended.stdout + ended.stderr
    opinion = checks(ended)["udev's opinion"]
    assert opinion["verdict"] == "bad"
    assert said in opinion["seen"]
    assert f"{_FOLDER}/70-usbprov.rules:" in opinion["seen"]


def test_installed_where_udev_looks_without_a_daemon() -> None:
    ended = in_own_udev_folders(
        "usbprov udev install && usbprov udev check && usbprov udev uninstall"
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "/etc/udev/rules.d/70-usbprov.rules is written" in ended.stdout
    assert "plugdev" in ended.stdout
    assert "/etc/udev/rules.d/70-usbprov.rules is removed" in ended.stdout


def test_without_rights_in_a_home_that_may_not_be_entered() -> None:
    ended = in_own_udev_folders(
        "chmod 555 /etc/udev/rules.d; export HOME=/run/udev/home; mkdir -m 000 $HOME;"
        f" setpriv --bounding-set=-all --inh-caps=-all {' '.join(STARTED)} udev install"
    )
    assert ended.returncode == 4, ended.stdout + ended.stderr
    assert "HST-01" in ended.stderr
    assert "Permission denied" in ended.stderr
    assert "sudo" in ended.stderr
