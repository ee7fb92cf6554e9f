"""What is shown of other benches: of those that run, and what stays true when they do not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from usbprov.bench.others import Others
from usbprov.bench.posting import row_of, view_of
from usbprov.bench.states import PortState
from usbprov.bench.views import BenchView, PortView
from usbprov.ledger.benches import BenchRecord, BoardRow, Changes

NOW = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)
RECORD = BenchRecord("north", "host", 7, NOW, NOW, NOW, None, running=True)
PORT = PortView("north", "A1", "kernel/1-1", PortState.KEY, 1, NOW, user="sip:a@contoso.test")
WHOLE = BenchView(1, "north", NOW, 64, 3, 1, 2)
CHANGES = count(1)


def row(view: PortView | BenchView) -> BoardRow:
    return BoardRow(**vars(row_of(view)), bench="north", updated=NOW, change=next(CHANGES))


def told(record: BenchRecord, *views: PortView | BenchView) -> Changes:
    return Changes(next(CHANGES), tuple(map(row, views)), (record,))


def states(others: Others, changes: Changes) -> dict[str, PortState]:
    views = (v for v in others.take(changes) if isinstance(v, PortView))
    return {view.label: view.state for view in views}


def test_a_view_comes_back_as_it_was_posted() -> None:
    for view in (PORT, replace(PORT, percent=40, hand="scan the badge"), WHOLE):
        back = view_of(row(view))
        assert back is not None
        assert replace(back, number=view.number) == view


def test_a_pin_is_asked_for_at_the_bench_s_own_boards_only() -> None:
    back = view_of(row(replace(PORT, hand="key in the PIN of A", asks="PIN of A (1001)")))
    assert isinstance(back, PortView)
    assert (back.hand, back.asks) == ("key in the PIN of A", "")


def test_a_word_of_a_newer_version_is_passed_over() -> None:
    posted = row(PORT)
    note = (posted.note or "").replace("{", '{"colour":"red",', 1)
    back = view_of(replace(posted, note=note))
    assert back is not None
    assert replace(back, number=1) == PORT
    assert view_of(replace(posted, state="frozen")) is None


def test_one_s_own_posts_are_left_alone() -> None:
    others = Others("north")
    assert others.take(told(RECORD, PORT)) == []
    assert not others.any_runs


def test_what_was_posted_before_it_was_seen_to_run_is_not_lost() -> None:
    others, stopped = Others("south"), replace(RECORD, running=False)
    assert others.take(told(stopped, PORT)) == []
    assert states(others, told(RECORD)) == {"A1": PortState.KEY}


def test_a_new_run_that_has_posted_already_clears_what_it_does_not_tell_of() -> None:
    others = Others("south")
    others.take(told(RECORD, PORT, replace(PORT, label="A2")))
    anew = replace(RECORD, started=NOW + timedelta(minutes=5))
    changed = states(others, told(anew, PORT, WHOLE))
    assert changed == {"A1": PortState.KEY, "A2": PortState.EMPTY}
    assert states(others, told(anew)) == {}


def test_a_bench_that_was_only_slow_is_as_it_was() -> None:
    others = Others("south")
    others.take(told(RECORD, PORT, replace(PORT, label="A2", state=PortState.DONE)))
    missed = states(others, told(replace(RECORD, running=False)))
    assert missed == {"A1": PortState.AWAY, "A2": PortState.DONE}
    assert states(others, told(RECORD)) == {"A1": PortState.KEY, "A2": PortState.DONE}
