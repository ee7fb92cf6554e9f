"""Checks side by side: the slow one is told as slow, the others are told at once."""

import threading
import time

import pytest

from usbprov.checks import CheckResult, Verdict
from usbprov.engine.checks.sequence import Told
from usbprov.engine.checks.tracks import Tracks


def good(name: str) -> CheckResult:
    return CheckResult(name, Verdict.GOOD, "")


def test_results_carry_their_group_and_come_as_they_are_made() -> None:
    tracks, told = Tracks(30), []

    def two(tell: Told) -> None:
        tell(good("one"))
        tell(good("two"))

    tracks.start("a", two)
    tracks.start("b", lambda tell: tell(good("three")))
    results = tracks.results(told.append)
    assert tuple(told) == results
    assert sorted((r.group, r.name) for r in results) == [
        ("a", "one"), ("a", "two"), ("b", "three"),
    ]  # fmt: skip


def test_a_track_may_start_another() -> None:
    tracks = Tracks(30)
    tracks.start("a", lambda _: tracks.start("b", lambda tell: tell(good("late"))))
    assert [r.name for r in tracks.results(lambda _: None)] == ["late"]


def test_a_slow_one_is_told_and_delays_nothing() -> None:
    tracks, never = Tracks(0.3), threading.Event()

    def slow(tell: Told) -> None:
        tell(good("begun"))
        never.wait(30)
        tell(good("too late"))

    tracks.start("slow", slow)
    tracks.start("quick", lambda tell: tell(good("quick")))
    began = time.monotonic()
    results = tracks.results(lambda _: None)
    assert time.monotonic() - began < 15
    never.set()
    by_name = {r.name: r for r in results}
    assert set(by_name) == {"begun", "quick", "time-limit"}
    assert by_name["time-limit"].group == "slow"
    assert by_name["time-limit"].verdict is Verdict.UNKNOWN
    assert results[-1].name == "time-limit"


def test_a_bug_in_a_track_is_raised() -> None:
    tracks = Tracks(30)

    def bug(_: Told) -> None:
        raise ZeroDivisionError

    tracks.start("a", bug)
    with pytest.raises(ZeroDivisionError):
        tracks.results(lambda _: None)
