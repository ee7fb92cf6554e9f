"""The whole screen: sums, ports, details, what is typed and said."""

from dataclasses import replace
from datetime import timedelta

import pytest
from doubles.shift import REFUSED, START, bench, label_of, port, shift

from usbprov.bench.states import PortState
from usbprov.bench.terminal.hands import Hands
from usbprov.bench.terminal.looks import in_ascii
from usbprov.bench.terminal.picture import Message, picture
from usbprov.bench.terminal.seen import Seen
from usbprov.bench.views import StepView

NOW = START + timedelta(seconds=75)
SIZES = [(80, 24), (80, 70), (200, 60), (40, 10), (20, 5), (10, 2), (1, 1)]


def seen(*views):
    made = Seen("bench-1")
    made.take(views)
    return made


def screen(of, hands=None, message=None, size=(80, 24), now=NOW):
    return [line.plain for line in picture(of, hands or Hands(), message, size, now).lines]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("until", [0, 10, 30, 60, 90])
def test_a_shift_fits_every_screen(size, until):
    views = [view for at, view in shift(64) if at <= until]
    now = START + timedelta(seconds=until)

    made = picture(seen(*views), Hands(), None, size, now)

    assert len(made.lines) == size[1]
    assert {line.cell_len for line in made.lines} == {size[0]}


def test_the_sums():
    views = seen(bench(per_hour=412.4, left=238.0))

    first, *_ = screen(views)

    assert first.startswith("bench-1  37 of 64 done  412 an hour  4 min left  ")


def test_the_sums_of_a_beginning():
    first, second, *_ = screen(seen(bench(done=0, roster=0)))

    assert first.split()[:4] == ["bench-1", "0", "of", "0"]
    assert second.strip() == ""


def test_the_counts_have_signs_and_words():
    states = [PortState.FAILED, PortState.WAITING, PortState.DONE, PortState.DONE, PortState.KEY]
    views = [port(label_of(at), state) for at, state in enumerate(states)]

    second = screen(seen(bench(), *views), size=(120, 24))[1]

    assert "✗ 1 failed  ! 1 need a hand  ✓ 2 to unplug  ▸ 1 running" in second
    assert second.endswith(" 57 %")


def test_another_bench_has_a_line_that_says_when_it_does_not_run():
    theirs = [port("A1", bench="bench-2"), port("A2", PortState.DONE, bench="bench-2")]
    assert "bench-2: 1 done: unplug, 1 empty" in screen(seen(bench(), *theirs))[2]

    gone = bench(name="bench-2", absent="not heard of since 14:03")
    third = screen(seen(bench(), *theirs, gone))[2]
    assert third.rstrip() == "bench-2: not heard of since 14:03, 1 done: unplug, 1 empty"


def test_before_the_first_view():
    lines = screen(seen())

    assert any("Plug phones in." in line for line in lines)
    assert "^C end" in lines[-1]


def test_the_keys_can_be_read_at_80_columns():
    assert screen(seen())[-1].rstrip().endswith("or scan")


def test_what_is_typed_is_shown():
    assert screen(seen(), Hands(line="64167F"))[-2].rstrip() == "> 64167F"


def test_a_secret_is_not_shown():
    hands = Hands()
    hands.ask("PIN of Ada")
    hands.line = "1234"

    lines = screen(seen(), hands)

    assert lines[-2].rstrip() == "PIN of Ada: ••••"
    assert not any("1234" in line for line in lines)


def test_what_is_said():
    assert screen(seen(), message=Message("4711 is Ada: A3"))[-2].rstrip() == "4711 is Ada: A3"


def test_what_is_said_cannot_upset_the_terminal():
    said = screen(seen(), message=Message("a\x1b[2Jb\r\nc"))[-2]

    assert said.rstrip() == "a\N{REPLACEMENT CHARACTER}[2Jb c"


def test_the_chosen_port_says_what_to_do():
    views = seen(port("A3", PortState.FAILED, trouble=REFUSED))

    assert screen(views, Hands(chosen="A3"))[-2].startswith("A3: Have the PIN set anew")


def test_the_port_that_failed_last_says_what_to_do_where_none_is_chosen():
    later = {"trouble": replace(REFUSED, remedy="Do that."), "since": START + timedelta(minutes=1)}
    views = seen(
        port("A3", PortState.FAILED, trouble=REFUSED), port("A2", PortState.FAILED, **later)
    )

    assert screen(views)[-2].rstrip() == "A2: Do that."
    assert screen(views, Hands(chosen="A3"))[-2].startswith("A3: Have the PIN set anew")


def test_the_chosen_port_is_marked():
    views = seen(port("A1"), port("A2"))

    lines = picture(views, Hands(chosen="A2"), None, (80, 24), NOW).lines

    marked = [line.plain.split()[1] for line in lines if "reverse" in str(line.spans)]
    assert marked == ["A2"]


class TestDetails:
    VIEW = port(
        "A3",
        PortState.FAILED,
        name="Ada Byron",
        user="sip:ada@contoso.test",
        phone="EP-100",
        serial="S1",
        mac="64:16:7F:00:00:01",
        job=17,
        attempt=2,
        trouble=REFUSED,
        thumbprint="ab" * 32,
        steps=(StepView("identify", "done", 12, "EP-100"), StepView("ticket", "failed", 80, "")),
    )
    HANDS = Hands(chosen="A3", details=True)

    def test_everything_is_told(self):
        text = "\n".join(line.rstrip() for line in screen(seen(self.VIEW), self.HANDS))

        for told in (
            "what happened  WEB-05: pool01.contoso.test refuses the PIN of extension 1017",
            "likely cause   The PIN is not the user's",
            "what to do     Have the PIN set anew",
            "user           Ada Byron, sip:ada@contoso.test",
            "phone          EP-100, serial S1, MAC 64:16:7F:00:00:01",
            "port           kernel/1-1.A3",
            "job            17, attempt 2",
            "✓ identify       12 ms  EP-100",
            "✗ ticket         80 ms",
        ):
            assert told in text

    @pytest.mark.parametrize("size", SIZES)
    def test_they_fit_every_screen(self, size):
        lines = picture(seen(self.VIEW), self.HANDS, None, size, NOW).lines

        assert len(lines) == size[1]
        assert {line.cell_len for line in lines} == {size[0]}

    def test_the_latest_steps_are_kept(self):
        steps = tuple(StepView(f"step {at}", "done", at, "") for at in range(40))
        view = port("A3", PortState.KEY, steps=steps)

        text = "\n".join(screen(seen(view), self.HANDS))

        assert "step 39" in text
        assert "step 1 " not in text

    def test_a_port_that_went_is_no_trouble(self):
        assert any("A1" in line for line in screen(seen(port("A1")), self.HANDS))


class TestOtherBenches:
    def test_they_get_a_line_each(self):
        views = seen(
            bench(),
            port("A1", PortState.KEY),
            bench(name="bench-2"),
            port("A1", PortState.FAILED, bench="bench-2", trouble=REFUSED),
            port("A2", PortState.KEY, bench="bench-2"),
        )

        lines = screen(views)

        assert lines[2].rstrip() == "bench-2: 1 failed, 1 key"
        assert "1 running" in lines[1]
        assert "failed" not in lines[1]

    def test_many_are_counted(self):
        views = seen(*(bench(name=f"bench-{at}") for at in range(1, 9)))

        assert any("and 4 benches more" in line for line in screen(views))


class TestSeen:
    def test_an_older_view_is_no_news(self):
        views = seen(port("A1", PortState.KEY, number=5))

        assert views.take([port("A1", PortState.EMPTY, number=4)]) == []
        assert views.ports["A1"].state is PortState.KEY

    def test_news_are_told(self):
        newer = port("A1", PortState.KEY, number=6)

        assert seen(port("A1", number=5)).take([newer, bench()]) == [newer]


def test_ascii_terminals_get_signs_too():
    views = [view for at, view in shift(64) if at <= 30]
    made = picture(seen(*views), Hands(), None, (80, 24), START + timedelta(seconds=30))

    lines = [in_ascii(line) for line in made.lines]

    assert {line.cell_len for line in lines} == {80}
    assert not set("✗✓▸·↻…│━─↑↓") & set("".join(line.plain for line in lines))
    assert any(line.plain.startswith("+ ") for line in lines)
