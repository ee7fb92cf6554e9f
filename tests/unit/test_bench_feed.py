"""The feed: a reader gets what is, then what changes, and a slow one only the newest."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from usbprov.bench.feed import Feed
from usbprov.bench.states import PortState
from usbprov.bench.views import BenchView, PortView

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def port(number: int, label: str = "A1", bench: str = "one") -> PortView:
    return PortView(bench, label, f"1-{label}", PortState.PLUGGED, number, NOW)


def whole(number: int) -> BenchView:
    return BenchView(number, "one", NOW, 64, 0, 0, 0)


def test_a_new_reader_gets_the_latest_of_each_port_first() -> None:
    feed = Feed()
    for view in (port(1), port(2, "A2"), port(3), whole(4)):
        feed.publish(view)
    with feed.subscribe() as reader:
        assert reader.next(0) == [port(2, "A2"), port(3), whole(4)]
        assert reader.next(0) == []
        feed.publish(port(5))
        assert reader.next(0) == [port(5)]


def test_a_slow_reader_gets_the_newest_only() -> None:
    feed = Feed()
    with feed.subscribe() as reader:
        for number in range(1, 100):
            feed.publish(port(number))
        feed.publish(port(100, "A2"))
        assert reader.next(0) == [port(99), port(100, "A2")]


def test_an_older_view_does_not_replace_a_newer_one() -> None:
    feed = Feed()
    feed.publish(port(7))
    feed.publish(port(6))
    assert feed.latest() == [port(7)]


def test_ports_of_two_benches_are_told_apart() -> None:
    feed = Feed()
    feed.publish(port(1))
    feed.publish(port(1, bench="two"))
    assert len(feed.latest()) == 2


def test_closing_ends_whoever_waits_and_whoever_iterates() -> None:
    reader = Feed().subscribe()
    seen: list[object] = []
    waiting = threading.Thread(target=lambda: seen.extend(reader))
    waiting.start()
    reader.close()
    reader.close()
    waiting.join(10)
    assert not waiting.is_alive()
    assert seen == []


def test_nothing_is_kept_for_a_reader_that_is_closed() -> None:
    feed = Feed()
    reader = feed.subscribe()
    reader.close()
    feed.publish(port(1))
    assert reader.next(0) == []


def test_a_view_that_changes_is_another_with_the_rest_as_it_was() -> None:
    before = port(1)
    after = before.changed({"step": "key", "number": 2})
    assert after == replace(before, step="key", number=2)
    assert before == port(1)
    with pytest.raises(TypeError, match="percents"):
        before.changed({"percents": 7})
