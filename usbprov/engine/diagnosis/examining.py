"""Examining: a failure is diagnosed where most is known of it, and told somewhere else."""

from dataclasses import replace
from weakref import WeakKeyDictionary

from usbprov.engine.diagnosis.model import NOWHERE, Case, Context, Diagnosis, Evidence
from usbprov.engine.diagnosis.probes import look_into
from usbprov.engine.diagnosis.probes.contract import Scene
from usbprov.engine.diagnosis.ranking import diagnose
from usbprov.errors import UsbprovError

_MADE: WeakKeyDictionary[UsbprovError, Diagnosis] = WeakKeyDictionary()
"""Diagnoses of errors that are still to be told, with all that was known where they arose."""


def examine(error: UsbprovError, context: Context, scene: Scene | None = None) -> Diagnosis:
    """Diagnose an error with all that is known, and keep that for when the error is told.

    Args:
        error: What stopped a job or a check.
        context: Where it arose.
        scene: The servers, if they may be looked at to tell causes apart.
    """
    if scene is not None:
        case = Case(error.code, str(error), error.facts())
        context = replace(context, evidence=(*context.evidence, *look_into(case, scene)))
    _MADE[error] = diagnose(error, context)
    return _MADE[error]


def reconsider(error: UsbprovError, evidence: Evidence) -> Diagnosis:
    """Diagnose an error anew, with something that was seen since."""
    context = diagnosis_of(error).context
    return examine(error, replace(context, evidence=(*context.evidence, evidence)))


def diagnosis_of(error: UsbprovError) -> Diagnosis:
    """Return what was made out about an error, or what can be said of it alone."""
    return _MADE.get(error) or diagnose(error, NOWHERE)
