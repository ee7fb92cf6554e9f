"""The player: answers ports, draws and clock from a tape, and says where a job leaves it."""

from datetime import UTC, datetime, timedelta

import pytest

from usbprov.errors import NotOnTape, ServerTimeout, ServerUnreachable
from usbprov.tape import clock
from usbprov.tape.deck import playing, recording
from usbprov.tape.events import Event, Kind
from usbprov.tape.player import Player
from usbprov.tape.ports import Port, draw, passing, plain

BEGAN = datetime(2026, 11, 29, 10, 0, tzinfo=UTC)


def port(key: str = "GET a", name: str = "http") -> Port[str]:
    return Port(name, key, str, str)


class Notes:
    """A recorder in memory, from which a tape is made."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.at = 0.0

    def note(self, kind: Kind, body: object) -> None:
        from usbprov.tape.events import packed

        self.at += 1
        self.events.append(Event(self.at, kind, packed(body)))  # type: ignore[arg-type]

    def hide(self, secrets: object) -> None: ...

    def hidden(self, text: str) -> str:
        return text


def fails(error: Exception) -> str:
    raise error


def recorded(*calls: object) -> Player:
    notes = Notes()
    with recording(notes):
        for call in calls:
            try:
                call()  # type: ignore[operator]
            except ServerUnreachable:
                continue
    return Player(notes.events, BEGAN)


def never() -> str:
    raise AssertionError("the world was asked")


def test_an_answer_comes_back_and_the_world_is_left_alone() -> None:
    player = recorded(lambda: passing(port(), lambda: "answer"))
    with playing(player):
        assert passing(port(), never) == "answer"
    assert player.left is None


def test_an_error_comes_back_with_its_facts() -> None:
    error = ServerUnreachable("pool", "it is down", attempts=3)
    player = recorded(lambda: passing(port(), lambda: fails(error)))
    with playing(player), pytest.raises(ServerUnreachable) as raised:
        passing(port(), never)
    assert dict(raised.value.facts()) == dict(error.facts())


def test_another_question_leaves_the_tape() -> None:
    player = recorded(lambda: passing(port("GET a"), lambda: "answer"))
    with playing(player), pytest.raises(NotOnTape) as raised:
        passing(port("POST b"), never)
    assert (raised.value.wanted, raised.value.found) == ("POST b", "http GET a")
    assert player.left is raised.value


def test_what_happens_within_a_question_is_part_of_it() -> None:
    def whole() -> str:
        return passing(port("leg"), lambda: "challenge") and draw("inner", 4).hex() and "in"

    player = recorded(
        lambda: passing(port("sign-in", "windows"), whole), lambda: passing(port(), lambda: "after")
    )
    with playing(player):
        assert passing(port("sign-in", "windows"), never) == "in"
        assert passing(port(), never) == "after"


def test_draws_are_the_recorded_ones() -> None:
    drawn: list[bytes] = []
    player = recorded(lambda: drawn.append(draw("nonce", 16)))
    with playing(player):
        assert draw("nonce", 16) == drawn[0]
        with pytest.raises(NotOnTape):
            draw("nonce", 16)


def test_a_draw_of_another_name_or_size_leaves_the_tape() -> None:
    for name, size in (("other", 16), ("nonce", 8)):
        player = recorded(lambda: draw("nonce", 16))
        with playing(player), pytest.raises(NotOnTape):
            draw(name, size)


def test_the_clock_is_that_of_what_was_played_last() -> None:
    player = recorded(lambda: passing(port(), lambda: "a"), lambda: plain("ticket", lambda: True))
    with playing(player):
        assert clock.now() == BEGAN
        passing(port(), never)
        assert clock.now() == BEGAN + timedelta(seconds=2)
        assert plain("ticket", lambda: False) is True
        assert clock.monotonic() == 4


def test_a_wait_does_not_pass_the_next_event_but_has_an_end() -> None:
    player = recorded(lambda: passing(port(), lambda: "a"))
    with playing(player):
        clock.sleep(1.5)
        assert clock.monotonic() == 1.5
        clock.sleep(100)  # the answer came at 2
        assert clock.monotonic() == pytest.approx(11.5)
        passing(port(), never)
        clock.sleep(50)  # nothing comes any more
        assert clock.monotonic() == pytest.approx(61.5)


def test_at_the_end_of_a_stopped_job_the_user_stops_it_again() -> None:
    with playing(Player([], BEGAN, stopped=True)), pytest.raises(KeyboardInterrupt):
        passing(port(), never)
    with playing(Player([], BEGAN)), pytest.raises(NotOnTape, match="nothing more"):
        passing(port(), never)


@pytest.mark.parametrize(
    "error",
    [
        None,
        17,
        {},
        {"code": "GEN-00", "facts": {}},
        {"code": "XXX-01"},
        {"code": "WEB-02", "facts": {"server": "a", "seconds": "no number"}},
        {"code": "WEB-02", "facts": {"server": "a"}},
    ],
)
def test_an_error_that_was_made_up_is_not_raised(error: object) -> None:
    body = {"port": "http", "key": "GET a", "error": error, "result": {}}
    if error is None:
        body["result"] = None
    told = Event(1, Kind.TOLD, body)  # type: ignore[arg-type]
    strict: Port[str] = Port("http", "GET a", str, lambda result: result["x"])  # type: ignore[index, call-overload]
    with playing(Player([told], BEGAN)), pytest.raises(NotOnTape):
        passing(strict, never)


def test_without_a_deck_a_port_is_a_call() -> None:
    assert passing(port(), lambda: "real") == "real"
    with pytest.raises(ServerTimeout):
        passing(port(), lambda: fails(ServerTimeout("pool", 3.0)))
    assert len(draw("nonce", 16)) == 16
