"""The program without the modules that only POSIX or Linux has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from doubles.no_posix.no_posix_names import HIDDEN

NO_POSIX = Path(__file__).parents[1] / "doubles" / "no_posix"

LINUX_ONLY = {
    "usbprov.emulation.gadget",
    "usbprov.emulation.gadget_bulk",
    "usbprov.emulation.gadget_serial",
}
"""The emulated phone on a board's own USB device port: configfs and FunctionFS."""

IMPORT_ALL = """
import importlib, pkgutil, sys, usbprov, usbprov_drivers
failed = []
for package in (usbprov, usbprov_drivers):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        try:
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        except ImportError:
            failed.append(module.name)
print(*failed)
"""


def without_posix(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(NO_POSIX)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", HIDDEN)
def test_the_modules_are_hidden(name: str) -> None:
    ended = without_posix(f"import {name}")
    assert f"import of {name} halted" in ended.stderr


def test_folders_cannot_be_opened() -> None:
    ended = without_posix("import os; os.open('/', os.O_RDONLY)")
    assert "PermissionError" in ended.stderr


def test_every_module_can_be_imported() -> None:
    ended = without_posix(IMPORT_ALL)
    assert ended.returncode == 0, ended.stderr
    assert set(ended.stdout.split()) <= LINUX_ONLY
