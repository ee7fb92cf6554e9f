"""A view as the ledger's board has it for other benches, and back. Pure.

What others may ask the database for has columns of its own; the rest of a view is JSON in the
row's note. A note that another version wrote is read as far as it is understood.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from usbprov.bench.feed import View
from usbprov.bench.states import PortState
from usbprov.bench.views import BenchView, PortView, StepView, Trouble
from usbprov.ledger.benches import BoardRow, PortRow

WHOLE = ""
"""Stands for the port in the row of the bench as a whole; no port has an empty label."""

_BENCH = "bench"
_COLUMNS = frozenset({"bench", "label", "state", "number", "user", "job", "asks"})
"""Has columns of its own, or is not posted: a PIN is keyed in at the bench's own boards."""

_OF_BENCH = frozenset({"name", "number", "absent"})


def row_of(view: View) -> PortRow:
    """Return the row of a view."""
    if isinstance(view, BenchView):
        return PortRow(WHOLE, _BENCH, note=_note(view, _OF_BENCH))
    return PortRow(view.label, view.state, view.serial, view.user, view.job, _note(view, _COLUMNS))


def view_of(row: BoardRow) -> View | None:
    """Return the view of a row, its number that of the change; None: it cannot be understood."""
    try:
        told = json.loads(row.note or "{}")
        return _bench(row, told) if row.port == WHOLE else _port(row, told)
    except (ValueError, TypeError, AttributeError, KeyError):
        return None


def _note(view: View, but: frozenset[str]) -> str:
    told = {name: value for name, value in asdict(view).items() if name not in but}
    return json.dumps(told, default=datetime.isoformat, separators=(",", ":"))


def _bench(row: BoardRow, told: Mapping[str, Any]) -> BenchView:
    known = _known(BenchView, told, _OF_BENCH) | {"started": _time(told["started"])}
    return BenchView(number=row.change, name=row.bench, **known)


def _port(row: BoardRow, told: Mapping[str, Any]) -> PortView:
    known = _known(PortView, told, _COLUMNS)
    trouble = told.get("trouble")
    changed = {
        "since": _time(told["since"]),
        "not_after": _time(told["not_after"]) if told.get("not_after") else None,
        "trouble": Trouble(**trouble) if trouble else None,
        "steps": tuple(StepView(**step) for step in told.get("steps", ())),
    }
    return PortView(
        bench=row.bench,
        label=row.port,
        state=PortState(row.state),
        number=row.change,
        user=row.user or "",
        job=row.job,
        **known | changed,
    )


def _known(
    view: type[PortView | BenchView], told: Mapping[str, Any], but: frozenset[str]
) -> dict[str, Any]:
    names = {field.name for field in fields(view)} - but
    return {name: value for name, value in told.items() if name in names}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
