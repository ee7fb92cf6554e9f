"""Families that make emulated phones, as installed packages offer them."""

from importlib.metadata import EntryPoint

import pytest

from usbprov.emulation import registry
from usbprov.emulation.registry import GROUP, emulators, load


class Family:
    family = "test"


FAMILY = Family()


def entry(name: str, target: str) -> EntryPoint:
    return EntryPoint(name, f"{__name__}:{target}" if ":" not in target else target, GROUP)


def test_a_family_is_found() -> None:
    found = load([entry("a", "FAMILY")])
    assert list(found.emulators) == ["test"]
    assert found.problems == {}


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("no_such_module_at_all:X", "ModuleNotFoundError"),
        ("NO_SUCH_NAME", "AttributeError"),
        ("GROUP", "AttributeError"),
    ],
)
def test_a_broken_one_is_reported_and_stops_nothing(target: str, error: str) -> None:
    found = load([entry("broken", target), entry("good", "FAMILY")])
    assert list(found.emulators) == ["test"]
    assert found.problems["broken"].startswith(error)


def test_the_first_of_two_equal_families_counts() -> None:
    found = load([entry("one", "FAMILY"), entry("two", "Family")])
    assert found.emulators["test"] is FAMILY
    assert "two" in found.problems


def test_what_is_broken_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    entries = [entry("broken", "no_such_module_at_all:X"), entry("good", "FAMILY")]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries)
    assert list(emulators()) == ["test"]
    assert "broken" in caplog.text
