"""A port in a line, and the ports on a screen that may be too small for them."""

from datetime import timedelta

import pytest
from doubles.shift import BUSY, REFUSED, START, label_of, port
from hypothesis import given
from hypothesis import strategies as st

from usbprov.bench.states import PortState
from usbprov.bench.terminal import words
from usbprov.bench.terminal.area import area_for, area_lines
from usbprov.bench.terminal.looks import LOOKS, RETRY, Urgency, look_of, urgency_of
from usbprov.bench.terminal.row import fitted, row_for

NOW = START + timedelta(seconds=75)
URGENCIES = {
    PortState.EMPTY: Urgency.EMPTY,
    PortState.PLUGGED: Urgency.RUNNING,
    PortState.IDENTIFYING: Urgency.RUNNING,
    PortState.WAITING: Urgency.HAND,
    PortState.KEY: Urgency.RUNNING,
    PortState.PUBLISHING: Urgency.RUNNING,
    PortState.INSTALLING: Urgency.RUNNING,
    PortState.PROVING: Urgency.RUNNING,
    PortState.DONE: Urgency.UNPLUG,
    PortState.FAILED: Urgency.FAILED,
    PortState.AWAY: Urgency.HAND,
}


def line(view, width=80, **more):
    return row_for(width, [view.label]).line(view, NOW, **more)


def ports(count, state=PortState.KEY):
    return [port(label_of(at), state) for at in range(count)]


class TestLooks:
    @pytest.mark.parametrize("state", PortState)
    def test_urgency_of_each_state(self, state):
        assert urgency_of(port(state=state)) is URGENCIES[state]

    def test_a_hand_is_needed_while_a_job_runs(self):
        view = port(state=PortState.INSTALLING, hand="press a key on the phone")

        assert urgency_of(view) is Urgency.HAND

    @pytest.mark.parametrize("state", [PortState.DONE, PortState.FAILED, PortState.EMPTY])
    def test_what_is_over_stays_what_it_is(self, state):
        assert urgency_of(port(state=state, hand="whatever")) is URGENCIES[state]

    @pytest.mark.parametrize("state", PortState)
    def test_nothing_but_an_empty_or_done_port_looks_free(self, state):
        free = urgency_of(port(state=state)) in {Urgency.UNPLUG, Urgency.EMPTY}

        assert free == port(state=state).may_unplug

    def test_each_urgency_has_a_sign_of_its_own(self):
        signs = [look.sign for look in (*LOOKS.values(), RETRY)]

        assert len(set(signs)) == len(Urgency) + 1

    def test_a_retry_shows(self):
        view = port(state=PortState.PUBLISHING, attempt=2, trouble=BUSY)

        assert look_of(view) is RETRY


class TestLine:
    def test_of_a_failure(self):
        view = port("A3", PortState.FAILED, name="Ada Byron", trouble=REFUSED)

        told = line(view, 110).plain

        assert told.startswith("✗ A3  failed               1:15  Ada Byron")
        assert "WEB-05 pool01.contoso.test refuses the PIN" in told
        assert "WEB-05 The PIN is not the us" in line(view, 80).plain

    def test_of_what_is_under_way(self):
        view = port("A3", PortState.KEY, user="sip:ada@contoso.test", step="key", percent=40)

        assert line(view).plain.split() == [
            "▸",
            "A3",
            "key",
            "1:15",
            "ada@contoso.test"[:14] + "…",
            "key",
            "40",
            "%",
        ]

    def test_of_a_retry(self):
        view = port(state=PortState.PUBLISHING, step="publish", attempt=2, trouble=BUSY)

        assert "attempt 2: publish; WEB-10 pool" in line(view, 100).plain

    def test_of_a_phone_that_was_pulled(self):
        told = line(port(state=PortState.AWAY), 100).plain

        assert "pulled early" in told
        assert words.PLUG_AGAIN in told

    def test_of_an_empty_port(self):
        assert line(port("A3")).plain.split() == ["·", "A3", "empty"]

    def test_wide_lines_tell_more(self):
        view = port(state=PortState.KEY, phone="EP-100", serial="S1", mac="64:16", step="key")

        assert "64:16" not in line(view, 80).plain
        assert all(fact in line(view, 200).plain for fact in ("EP-100", "S1", "64:16"))

    def test_a_clock_that_goes_wrong_is_no_negative_time(self):
        view = port(state=PortState.KEY, since=NOW + timedelta(hours=1))

        assert " 0:00 " in line(view).plain

    @pytest.mark.parametrize("state", PortState)
    def test_the_state_is_always_readable(self, state):
        assert state in line(port(state=state), 40).plain

    @given(
        st.sampled_from(PortState),
        st.text(max_size=60),
        st.text(max_size=60),
        st.integers(1, 250),
        st.booleans(),
    )
    def test_whatever_a_device_says_stays_in_its_line(self, state, name, serial, width, chosen):
        view = port(state=state, name=name, serial=serial, phone=serial, hand=name, trouble=BUSY)

        made = line(view, width, chosen=chosen)

        assert made.cell_len == width
        assert made.plain.isprintable()

    @given(st.text(st.characters(exclude_categories=["C"]), max_size=30), st.integers(0, 20))
    def test_fitted_text_has_the_width(self, text, width):
        from rich.cells import cell_len

        assert cell_len(fitted(text, width)) == width


class TestWords:
    @pytest.mark.parametrize(
        ("seconds", "told"),
        [(-5, "0:00"), (42.9, "0:42"), (3599, "59:59"), (3720, "1h02"), (36_000, "10h00")],
    )
    def test_clock(self, seconds, told):
        assert words.clock(seconds) == told

    @pytest.mark.parametrize(
        ("seconds", "told"),
        [(20, "under a minute left"), (239, "4 min left"), (4800, "1 h 20 min left")],
    )
    def test_remaining(self, seconds, told):
        assert words.remaining(seconds) == told

    def test_labels_are_sorted_as_people_do(self):
        labels = ["B1", "A10", "hub2-3", "A2", "hub2-12", "a1", "1-1.10", "1-1.9"]

        assert sorted(labels, key=words.label_order) == [
            "1-1.9",
            "1-1.10",
            "a1",
            "A2",
            "A10",
            "B1",
            "hub2-3",
            "hub2-12",
        ]


class TestArea:
    def test_with_room_each_port_keeps_its_place(self):
        views = ports(20)
        views[7] = port(label_of(7), PortState.FAILED, trouble=REFUSED)

        area = area_for(reversed(views), (80, 20))

        assert [view.label for view in area.shown] == [label_of(at) for at in range(20)]
        assert area.rest == ()

    def test_without_room_the_most_urgent_come_first(self):
        states = [*PortState] * 6
        views = [port(label_of(at), state) for at, state in enumerate(states[:64])]

        area = area_for(views, (80, 20))

        urgencies = [urgency_of(view) for view in (*area.shown, *area.rest)]
        assert urgencies == sorted(urgencies)
        assert len(area.shown) == 19
        assert len(area.rest) == 45

    def test_what_is_tried_again_comes_before_what_runs_well(self):
        views = [*ports(63), port("Z9", PortState.KEY, trouble=BUSY, attempt=2)]

        assert area_for(views, (80, 20)).shown[0].label == "Z9"

    def test_the_rest_is_summed_up(self):
        views = [*ports(30), *(port(f"Z{at}") for at in range(10))]

        lines = area_lines(area_for(views, (80, 11)), (80, 11), NOW)

        assert len(lines) == 11
        assert lines[-1].plain.rstrip() == "… 30 more: 20 running, 10 empty"

    def test_a_wide_screen_has_several_columns(self):
        size = (200, 40)

        area = area_for(ports(64), size)
        lines = area_lines(area, size, NOW)

        assert (area.columns, area.rest) == (2, ())
        assert len(lines) == 32
        assert lines[0].plain.startswith("▸ A1 ")
        assert " │ ▸ C1 " in lines[0].plain

    def test_the_chosen_port_is_always_shown(self):
        area = area_for(ports(64), (80, 20), "D16")

        assert area.shown[-1].label == "D16"
        assert len(area.shown) + len(area.rest) == 64
        assert area.labels == tuple(label_of(at) for at in range(64))

    @given(st.integers(0, 130), st.integers(1, 250), st.integers(0, 80))
    def test_any_size(self, count, width, height):
        size = (width, height)
        area = area_for(ports(count), size, "B3")

        lines = area_lines(area, size, NOW, "B3")

        assert len(lines) <= height
        assert all(line.cell_len <= width for line in lines)
        assert len(area.shown) + len(area.rest) == count
