"""What the curves are made of: each phone that is done counts once, with the times of its steps."""

from dataclasses import replace

import pytest
from doubles.stage import Stage, ago, steps

from usbprov.bench.states import PortState
from usbprov.bench.web.figures import Figures, percentile


@pytest.fixture
def figures():
    return Figures()


def done(label="A1", **changes):
    stage = Stage()
    stage.plug(label)
    return stage.port(label, PortState.DONE, steps=steps(12), **changes)


def test_a_phone_counts_once_however_often_it_is_told(figures):
    view = done()
    figures.take([view, replace(view, number=view.number + 1)])
    figures.take([view])

    assert figures.count == 1
    assert list(figures.finished) == [(view.since.timestamp(), 5105)]


def test_the_next_phone_at_the_same_port_counts(figures):
    first = done(since=ago(9))
    figures.take([first, replace(first, state=PortState.EMPTY), done(since=ago(3))])

    assert figures.count == 2


def test_the_next_phone_counts_when_what_was_between_was_missed(figures):
    figures.take([done(since=ago(9), job=1), done(since=ago(3), job=2)])

    assert figures.count == 2


def test_only_what_is_new_is_told(figures):
    figures.take([done("A1"), done("A2")])
    assert len(figures.latest(0)) == 2
    assert figures.latest(2) == []
    figures.take([done("A3")])
    assert len(figures.latest(2)) == 1


def test_steps_have_median_and_percentile(figures):
    for number, ms in enumerate(range(100, 1100, 100)):
        view = done(f"A{number}")
        figures.take([replace(view, steps=(replace(view.steps[0], ms=ms),))])

    (step,) = figures.steps()
    assert step == {"name": "identify", "count": 10, "median": 550, "p90": 900, "longest": 1000}


def test_a_step_that_was_done_already_has_no_time(figures):
    view = done()
    figures.take([replace(view, steps=(replace(view.steps[0], mark="skipped", ms=7),))])

    assert figures.steps() == []
    assert figures.finished[0][1] == 0


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (2, 2), (9, 9), (10, 9), (11, 10), (100, 90)])
def test_percentiles_are_values_that_occurred(count, rank):
    assert percentile(list(range(1, count + 1)), 0.9) == rank


def test_only_so_many_phones_are_kept_and_the_newest_of_them(figures, monkeypatch):
    monkeypatch.setattr("usbprov.bench.web.figures._MOST_PHONES", 4)
    for number in range(20):
        figures.take([done(f"A{number}")])
        newest = figures.latest(number)
        assert len(newest) == 1
        assert newest[0] == figures.finished[-1]

    assert figures.count == 20
    assert 4 <= len(figures.finished) <= 6
    assert len(figures.latest(0)) == len(figures.finished)
