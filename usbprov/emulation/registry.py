"""Finds the families that can make emulated phones."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points

from usbprov.emulation.contract import Emulator

logger = logging.getLogger(__name__)

GROUP = "usbprov.emulators"
"""The entry-point group."""


@dataclass(frozen=True)
class Found:
    """What the entry points gave.

    Attributes:
        emulators: By family.
        problems: What is wrong with those that gave nothing, by name of the entry point.
    """

    emulators: Mapping[str, Emulator] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


def load(entries: Iterable[EntryPoint]) -> Found:
    """Load entry points, each for itself: one that is broken does not stop the rest."""
    emulators: dict[str, Emulator] = {}
    problems: dict[str, str] = {}
    for entry in entries:
        try:
            emulator: Emulator = entry.load()
            family = emulator.family
        except Exception as error:  # whatever an installed package may raise while imported
            problems[entry.name] = f"{type(error).__name__}: {error}"
            continue
        if family in emulators:
            problems[entry.name] = f"another package offers the family {family}, too"
        else:
            emulators[family] = emulator
    return Found(emulators, problems)


def emulators() -> Mapping[str, Emulator]:
    """Return the installed emulators by family; what is broken is logged as a warning."""
    found = load(entry_points(group=GROUP))
    for name, problem in found.problems.items():
        logger.warning("the emulator %s cannot be used: %s", name, problem)
    return found.emulators
