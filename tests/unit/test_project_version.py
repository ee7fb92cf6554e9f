"""One version, everywhere the same."""

import re
import tomllib
from pathlib import Path

import usbprov

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_package_has_the_version_of_pyproject():
    assert usbprov.__version__ == PROJECT["version"]


def test_the_changelog_begins_with_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## \[(.+?)\] - (.+)$", changelog, re.MULTILINE)

    version, state = headings[0]
    assert version == PROJECT["version"]
    assert re.fullmatch(r"Unreleased|\d{4}-\d{2}-\d{2}", state)
