"""Probes: checks that tell the causes of a failure apart, made when one has happened.

A probe writes nothing, sends no secret, tries no PIN and asks no server for anything that is not
public. What it sees only changes the order of causes. Each has a limit in seconds, and one that
does not keep it is left behind.
"""

import logging
import threading
from collections.abc import Sequence

from usbprov.engine.diagnosis.model import Case, Evidence
from usbprov.engine.diagnosis.probes.contract import Probe, Scene

logger = logging.getLogger(__name__)

# ruff: noqa: PLC0415 - a probe is imported when something has failed


def all_probes() -> Sequence[Probe]:
    """Return every probe, in the order in which they are made."""
    from usbprov.engine.diagnosis.probes.chain import ChainProbe
    from usbprov.engine.diagnosis.probes.clock import ClockProbe
    from usbprov.engine.diagnosis.probes.metadata import MetadataProbe
    from usbprov.engine.diagnosis.probes.reach import ReachProbe

    return (ReachProbe(), ChainProbe(), MetadataProbe(), ClockProbe())


def look_into(case: Case, scene: Scene) -> tuple[Evidence, ...]:
    """Make the probes that can tell the causes of a failure apart, and return what they saw."""
    seen = (_within_limit(probe, case, scene) for probe in all_probes() if case.code in probe.codes)
    return tuple(evidence for evidence in seen if evidence is not None)


def _within_limit(probe: Probe, case: Case, scene: Scene) -> Evidence | None:
    """Make a probe on a thread of its own, since looking up a name cannot be given a limit."""
    found: list[Evidence | None] = []

    def look() -> None:
        try:
            found.append(probe.look(case, scene))
        except Exception as error:  # what a probe meets must not hide what it is for
            logger.debug("probe %s: %s", probe.name, type(error).__name__)

    thread = threading.Thread(target=look, name=f"probe {probe.name}", daemon=True)
    thread.start()
    thread.join(probe.seconds)
    return found[0] if found else None
