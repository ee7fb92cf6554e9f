"""Ranking: which row of the table fits an error, and in which order its causes are likely."""

import functools
from collections.abc import Mapping

from usbprov import errors
from usbprov.engine.diagnosis.model import NOWHERE, Case, Cause, Context, Diagnosis, Symptom
from usbprov.engine.diagnosis.table import SYMPTOMS
from usbprov.errors import UsbprovError


def diagnose(error: UsbprovError, context: Context = NOWHERE) -> Diagnosis:
    """Return the likely causes of an error, the likeliest first. Nothing is asked or tried."""
    return diagnose_case(Case(error.code, str(error), error.facts()), context)


def diagnose_case(case: Case, context: Context = NOWHERE) -> Diagnosis:
    """Return the likely causes of a failure that may be known from the ledger only."""
    rows = (row for row in SYMPTOMS if row.code == case.code and row.when.fits(case, context))
    symptom = next(rows, None)
    causes = _ranked(symptom, context) if symptom else (general_cause(case.code),)
    return Diagnosis(case, symptom, causes, context)


def _ranked(symptom: Symptom, context: Context) -> tuple[Cause, ...]:
    """Put first what evidence speaks for, and last what it speaks against; keep the rest."""
    supported = frozenset[str]().union(*(seen.supports for seen in context.evidence))
    excluded = frozenset[str]().union(*(seen.excludes for seen in context.evidence))

    def rank(cause: Cause) -> int:
        return (cause.id in excluded) - (cause.id in supported)

    return tuple(sorted(symptom.causes, key=rank))


def general_cause(code: str) -> Cause:
    """Return what the error's class itself says of cause and remedy."""
    kind = error_classes().get(code, UsbprovError)
    return Cause(code.lower(), kind.cause or "No cause is known.", "", kind.remedy)


@functools.cache
def error_classes() -> Mapping[str, type[UsbprovError]]:
    """Return the classes of the tree that have a code of their own, by it."""
    kinds = (getattr(errors, name) for name in errors.__all__)
    return {
        kind.code: kind
        for kind in kinds
        if isinstance(kind, type)
        and issubclass(kind, UsbprovError)
        and "code" in vars(kind)
        and kind is not UsbprovError
    }
