"""The verdict of ``make soak`` fails when it should: on made-up samples of an hour."""

import io
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from soak import samples as sampling
from soak.plot import plot
from soak.samples import Record, Sample
from soak.verdict import Bounds, Finding, growth, judge, settled

GOOD = Sample(
    seconds=0,
    rss_kib=100_000,
    handles=30,
    threads=20,
    cpu_seconds=0,
    database_kib=4000,
    phones=0,
    done=0,
    failed=0,
    pulled=0,
    occupied=9,
    working=5,
    oldest_seconds=8,
    oldest="1-1.1 key",
)

Change = Callable[[Sample], Sample]


def hour(change: Change = lambda sample: sample) -> list[Sample]:
    """An hour that is good: all figures swing, and memory grows while caches fill."""
    return [change(_moment(float(seconds))) for seconds in range(10, 3610, 10)]


def _moment(seconds: float) -> Sample:
    swing = math.sin(seconds / 37)
    cold = max(0.0, 600 - seconds) / 600
    return replace(
        GOOD,
        seconds=seconds,
        rss_kib=int(100_000 - 20_000 * cold + 800 * swing),
        handles=int(30 + 8 * swing),
        threads=int(20 + 5 * swing),
        cpu_seconds=seconds / 10,
        phones=int(seconds / 2) + 5,
        done=int(seconds / 2),
    )


def bad(samples: Sequence[Sample]) -> list[str]:
    """What was found to be bad, by its first word."""
    findings: list[Finding] = judge(samples, Bounds())
    return [finding.words.partition(":")[0] for finding in findings if not finding.good]


def test_an_hour_that_is_flat_is_good() -> None:
    assert bad(hour()) == []


def test_what_caches_take_in_the_beginning_does_not_count() -> None:
    samples = hour()
    assert samples[-1].rss_kib - samples[0].rss_kib > 15_000
    assert abs(growth(samples, lambda sample: sample.rss_kib)) < 500
    assert settled(samples)[0].seconds == 900


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("memory", lambda s: replace(s, rss_kib=s.rss_kib + int(s.done * 5))),
        ("handles", lambda s: replace(s, handles=s.handles + s.done // 300)),
        ("handles", lambda s: replace(s, ledger_handles=21 if s.seconds > 3000 else 8)),
        ("threads", lambda s: replace(s, threads=s.threads + s.done // 300)),
        ("threads", lambda s: replace(s, threads=200 if s.seconds == 1800 else s.threads)),
        ("ports", lambda s: replace(s, oldest_seconds=61) if s.seconds == 100 else s),
    ],
    ids=[
        "5 KiB a phone",
        "a handle in 300",
        "a ledger's pool",
        "a thread in 300",
        "a swarm of threads",
        "stuck",
    ],
)
def test_a_leak_or_a_stuck_port_is_found(what: str, change: Change) -> None:
    assert bad(hour(change)) == [what]


def test_what_is_left_when_no_more_phones_come_hides_no_leak() -> None:
    leaking = hour(lambda sample: replace(sample, handles=30 + sample.done // 300))
    rest = [replace(leaking[-1], seconds=3600 + n * 10.0, handles=12) for n in range(1, 100)]
    assert bad([*leaking, *rest]) == ["handles"]


def test_more_phones_at_work_in_the_end_are_no_leak() -> None:
    def busier(sample: Sample) -> Sample:
        work = 5 + int(sample.seconds / 500)
        return replace(sample, working=work, handles=10 + 4 * work, threads=8 + 2 * work)

    assert bad(hour(busier)) == []
    assert bad(hour(lambda s: replace(busier(s), handles=busier(s).handles + s.done // 300))) == [
        "handles"
    ]


def test_what_more_phones_at_once_have_taken_is_no_leak_but_hides_none() -> None:
    def crowded(sample: Sample) -> Sample:
        work = 5 + 2 * (sample.seconds >= 1500) + 4 * (sample.seconds >= 2600)
        return replace(sample, working=work, rss_kib=sample.rss_kib + 800 * work)

    samples = hour(crowded)
    assert growth(samples, lambda sample: sample.rss_kib) > 5 * 1024
    assert bad(samples) == []
    leaking = hour(lambda s: replace(crowded(s), rss_kib=crowded(s).rss_kib + s.done * 5))
    assert bad(leaking) == ["memory"]


def test_the_ledgers_pool_may_grow_to_its_bound() -> None:
    def opened(sample: Sample) -> Sample:
        ledger = 5 + 2 * int(sample.seconds / 600)
        return replace(sample, handles=sample.handles + ledger, ledger_handles=ledger)

    assert bad(hour(opened)) == []


def test_a_run_that_is_too_short_for_a_trend_says_so() -> None:
    leaking = hour(lambda s: replace(s, handles=s.handles + s.done // 10))[:60]
    assert bad(leaking) == []
    assert sum("NOT JUDGED" in finding.words for finding in judge(leaking, Bounds())) == 3
    swarm = [replace(sample, threads=200) for sample in leaking]
    assert bad(swarm) == ["threads"]


def test_the_words_name_the_port_that_was_stuck() -> None:
    stuck = replace(_moment(700.0), oldest_seconds=90, oldest="1-2.3 installing")
    (*_, finding) = judge([*hour()[:69], stuck, *hour()[70:]], Bounds())
    assert not finding.good
    assert "90.0 s at most" in finding.words
    assert "1-2.3 installing, at 700 s" in finding.words


def test_samples_come_back_from_their_file(tmp_path: Path) -> None:
    record = Record(tmp_path / "samples.csv")
    for sample in hour()[:5]:
        record.add(sample)
    text = (tmp_path / "samples.csv").read_text()
    assert sampling.read(io.StringIO(text)) == record.samples == hour()[:5]


def test_the_cost_of_this_process_is_read(tmp_path: Path) -> None:
    with (tmp_path / "ledger.sqlite3").open("w"):
        cost = sampling.cost_of(os.getpid(), tmp_path / "ledger.sqlite3")
    assert cost.rss_kib > 5_000
    assert cost.handles >= 4
    assert cost.ledger_handles == 1
    assert cost.threads >= 1
    assert cost.cpu_seconds > 0


def test_the_picture_has_a_curve_for_each_figure() -> None:
    picture = plot(hour())
    assert picture.count("<polyline") == 8
    for title in ("Memory in RAM", "Open handles", "Threads", "Phones that are done"):
        assert title in picture
