"""The wheel holds everything that the program needs when it is not run from its source tree."""

import configparser
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {ROOT / "usbprov": "usbprov", ROOT / "drivers/usbprov_drivers": "usbprov_drivers"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with ZipFile(next(folder.glob("*.whl"))) as opened:
        yield opened


def source_files():
    for source, package in SOURCES.items():
        for path in source.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{package}/{path.relative_to(source).as_posix()}"


def test_every_source_and_data_file_is_in_the_wheel(wheel):
    assert sorted(set(source_files()) - set(wheel.namelist())) == []


def test_nothing_else_is_in_the_wheel(wheel):
    extra = set(wheel.namelist()) - set(source_files())

    assert [name for name in extra if ".dist-info/" not in name] == []


@pytest.mark.parametrize("package", SOURCES.values())
def test_the_packages_say_that_they_are_typed(wheel, package):
    assert f"{package}/py.typed" in wheel.namelist()


@pytest.mark.parametrize("suffix", [".wsdl", ".xsd"])
def test_the_web_services_descriptions_are_bundled(wheel, suffix):
    bundled = [name for name in wheel.namelist() if name.endswith(suffix)]

    assert [name for name in bundled if name.startswith("usbprov/webservices/")]


def test_the_phone_wires_document_is_bundled(wheel):
    assert "usbprov_drivers/smp/PROTOCOL.md" in wheel.namelist()


def test_the_licence_is_bundled(wheel):
    assert [name for name in wheel.namelist() if name.endswith(".dist-info/licenses/LICENSE")]


def test_the_entry_points_are_those_of_pyproject(wheel):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    name = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    parser = configparser.ConfigParser(delimiters="=")
    parser.read_string(wheel.read(name).decode())

    declared = {"console_scripts": project["scripts"], **project["entry-points"]}
    assert {section: dict(parser[section]) for section in parser.sections()} == declared
