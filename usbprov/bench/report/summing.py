"""From the ledger's history to the report: nothing but counting and sorting."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import NamedTuple

from usbprov.bench.report.facts import (
    STANDINGS,
    FailedAttempts,
    FailureGroup,
    PhoneLine,
    Rate,
    Report,
    Standing,
    StepTimes,
    Sums,
    Thumbprints,
    Trouble,
)
from usbprov.engine.diagnosis.model import Case, Context
from usbprov.engine.diagnosis.ranking import diagnose_case
from usbprov.engine.events import StepName
from usbprov.errors import UsbprovError
from usbprov.ledger.history import History, Kept, Stretch
from usbprov.ledger.records import JobRecord, StepRecord, StepState
from usbprov.pki.certificates import load_certificate, summarise

WIDTHS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
"""Seconds that a bar of phones an hour may stand for."""

MOST_RATES = 24
"""Bars in the plot of phones an hour, as far as ``WIDTHS`` allows."""

_ORDER = {name.value: place for place, name in enumerate(StepName)}


class _Phone(NamedTuple):
    """What tells one phone's slot from others."""

    serial: str
    mac: str
    slot: int


def make_report(history: History, stretch: Stretch, about: str, made: datetime) -> Report:
    """Work out the report.

    Args:
        history: What the ledger has.
        stretch: The time that it was read for.
        about: What that is, in words.
        made: The moment of the report, UTC.
    """
    phones = [_line(jobs, history) for jobs in _by_phone(history.jobs)]
    return Report(
        made=made,
        about=about,
        since=stretch.since,
        until=stretch.until,
        bench=stretch.bench,
        entries=history.entries,
        head=history.head,
        sums=_sums(phones),
        rates=_rates(phones),
        steps=_step_times(history),
        failures=_failures(phones),
        attempts=_attempts(history),
        phones=phones,
    )


def _by_phone(jobs: Iterable[JobRecord]) -> list[list[JobRecord]]:
    """Group jobs by phone, in the order of the phones' last jobs."""
    found: dict[_Phone, list[JobRecord]] = defaultdict(list)
    for job in jobs:
        found[_Phone(job.phone_serial, job.phone_mac, job.slot)].append(job)
    return sorted(found.values(), key=lambda of_phone: of_phone[-1].id)


def _line(jobs: Sequence[JobRecord], history: History) -> PhoneLine:
    last = jobs[-1]
    standing = STANDINGS[last.state]
    steps = history.steps.get(last.id, ())
    return PhoneLine(
        job=last.id,
        standing=standing,
        user=last.user,
        extension=last.extension,
        model=last.phone_model,
        serial=last.phone_serial,
        mac=last.phone_mac,
        slot=last.slot,
        port=last.port_path,
        bench=last.bench,
        roster=last.roster,
        begun=last.created,
        ended=None if standing is Standing.UNFINISHED else last.updated,
        work_ms=sum(step.ms or 0 for step in steps),
        jobs=len(jobs),
        failed_attempts=sum(_is_failed(s) for job in jobs for s in history.steps.get(job.id, ())),
        steps=_durations(steps),
        certificate=_thumbprints(history.certificates.get(last.id)),
        trouble=_trouble(last, steps, history.facts.get(last.id, {})),
    )


def _durations(steps: Iterable[StepRecord]) -> Mapping[str, int]:
    """Return how long each step took, the last time that it was done."""
    return {step.name: step.ms for step in steps if _is_done(step) and step.ms is not None}


def _is_done(step: StepRecord) -> bool:
    return step.state is StepState.DONE


def _is_failed(step: StepRecord) -> bool:
    return step.state is StepState.FAILED


def _thumbprints(kept: Kept | None) -> Thumbprints | None:
    if kept is None:
        return None
    try:
        of = summarise(load_certificate(kept.data))
    except UsbprovError:  # as it came from a server, and before it was checked
        return Thumbprints(kept.sha256, "", None)
    return Thumbprints(kept.sha256, of.sha1, of.not_after)


def _trouble(
    job: JobRecord, steps: Sequence[StepRecord], facts: Mapping[str, object]
) -> Trouble | None:
    if job.error_code is None:
        return None
    failed = [step.name for step in steps if _is_failed(step)]
    context = Context(step=failed[-1] if failed else "", phone=job.phone_model)
    says = job.error or ""
    first = diagnose_case(Case(job.error_code, says, facts), context).first
    return Trouble(job.error_code, says, first.says, first.remedy)


def _sums(phones: Sequence[PhoneLine]) -> Sums:
    count = Counter(phone.standing for phone in phones)
    ends = [phone.ended for phone in _done(phones) if phone.ended]
    return Sums(
        phones=len(phones),
        done=count[Standing.DONE],
        failed=count[Standing.FAILED],
        unfinished=count[Standing.UNFINISHED],
        at_once=sum(p.jobs == 1 and not p.failed_attempts for p in _done(phones)),
        begun=min((phone.begun for phone in phones), default=None),
        ended=max(ends, default=None),
    )


def _done(phones: Iterable[PhoneLine]) -> list[PhoneLine]:
    return [phone for phone in phones if phone.standing is Standing.DONE]


def _rates(phones: Sequence[PhoneLine]) -> list[Rate]:
    """Count the phones that were done, in stretches of equal length from the first begin on."""
    sums = _sums(phones)
    if sums.begun is None or sums.ended is None:
        return []
    span = max((sums.ended - sums.begun).total_seconds(), 0)
    width = next((w for w in WIDTHS if span < w * MOST_RATES), WIDTHS[-1])
    begun = _rounded(sums.begun, width)
    places = Counter(
        int((phone.ended - begun).total_seconds() // width)
        for phone in _done(phones)
        if phone.ended
    )
    first, last = min(0, *places), max(places)
    return [
        Rate(begun + timedelta(seconds=n * width), width, places[n]) for n in range(first, last + 1)
    ]


def _rounded(moment: datetime, seconds: int) -> datetime:
    """Return the last moment before at which a stretch of that length begins by UTC's clock."""
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def _step_times(history: History) -> list[StepTimes]:
    values: dict[str, list[int]] = defaultdict(list)
    failed: Counter[str] = Counter()
    for step in chain.from_iterable(history.steps.values()):
        failed[step.name] += _is_failed(step)
        if _is_done(step) and step.ms is not None:
            values[step.name].append(step.ms)
    names = sorted(values, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))
    return [StepTimes(name, failed[name], sorted(values[name])) for name in names]


def _failures(phones: Iterable[PhoneLine]) -> list[FailureGroup]:
    """Group by code and cause; what happened is that of the first phone of the group."""
    found: dict[tuple[str, str], list[Trouble]] = defaultdict(list)
    for phone in phones:
        if phone.trouble and phone.standing is not Standing.DONE:
            found[phone.trouble.code, phone.trouble.cause].append(phone.trouble)
    groups = [FailureGroup(troubles[0], len(troubles)) for troubles in found.values()]
    return sorted(groups, key=lambda g: (-g.phones, g.trouble.code, g.trouble.cause))


def _attempts(history: History) -> list[FailedAttempts]:
    found = Counter(
        (step.error_code or "", step.name)
        for step in chain.from_iterable(history.steps.values())
        if _is_failed(step)
    )
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [FailedAttempts(code, step, attempts) for (code, step), attempts in ranked]
