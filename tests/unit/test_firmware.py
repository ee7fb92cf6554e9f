"""What is documented against firmware versions; nothing is said of what nobody has published."""

from dataclasses import replace

import pytest
from doubles.phone import MemoryPhone

from usbprov.phone.contract import PhoneInfo
from usbprov.phone.firmware import firmware_troubles, version_of


def phone(model: str, version: str) -> PhoneInfo:
    return replace(MemoryPhone().info(), model=model, firmware=version)


@pytest.mark.parametrize(
    ("model", "version", "count", "hopeless"),
    [
        ("CX700", "1.0.522.101", 3, True),
        ("Polycom CX700", "3.5.6907.186", 3, True),
        ("CX600", "3.5.6907.187", 2, False),
        ("cx600", "4.0.7577.4362", 2, False),
        ("CX600", "4.0.7577.4363", 1, False),
        ("4120", "no version", 1, False),
        ("EP-100", "1.0.0", 0, False),
        ("", "1.0.0", 0, False),
    ],
)
def test_troubles_by_model_and_version(
    model: str, version: str, count: int, hopeless: bool
) -> None:
    found = firmware_troubles(phone(model, version))
    assert len(found) == count
    assert any(trouble.hopeless for trouble in found) is hopeless


def test_versions_are_numbers_and_dots() -> None:
    assert version_of(" 4.0.7577.4363 ") == (4, 0, 7577, 4363)
    assert version_of("4.0-beta") == ()
    assert version_of("") == ()
    assert version_of("²") == ()
