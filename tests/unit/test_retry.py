"""Repeats: only what may pass, within attempts and time, and everybody is told."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.engine.retry import Retrier, Retry, RetryPolicy, once
from usbprov.errors import (
    CredentialRefused,
    PhoneGone,
    PinLocked,
    RegistrarUnavailable,
    RequestRefused,
    ServerBusy,
    ServerFailed,
    ServerTimeout,
    ServerUnreachable,
    ServiceError,
    StoreUnreachable,
    UsbprovError,
)

PASSING = (
    ServerUnreachable("pool", "refused"),
    ServerTimeout("pool", 60.0),
    ServerFailed("pool", 500),
    StoreUnreachable("pool", "The store is unavailable."),
    RegistrarUnavailable("pool", "The Registrar is down."),
    ServerBusy("pool", "HTTP status 503"),
)
FINAL = (
    RequestRefused("pool", "No."),
    CredentialRefused("pool", "No."),
    PinLocked("pool", "Locked."),
    PhoneGone("1-1"),  # it may pass, but it is no trouble of a server
)


@dataclass
class Clock:
    """A clock that goes on by sleeping only, and chances that are always the same."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)
    told: list[Retry] = field(default_factory=list)
    luck: float = 1.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def retrier(self, policy: RetryPolicy | None = None) -> Retrier:
        return Retrier(
            policy or RetryPolicy(),
            self.told.append,
            sleep=self.sleep,
            clock=lambda: self.now,
            chance=lambda: self.luck,
        )


@dataclass
class Server:
    """Fails with each error in turn, then answers; each call takes a while."""

    errors: list[UsbprovError]
    clock: Clock
    takes: float = 0.0
    calls: int = 0

    def __call__(self) -> str:
        self.calls += 1
        self.clock.now += self.takes
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def down() -> ServerFailed:
    return ServerFailed("pool", 500)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_passes_is_waited_for(clock: Clock) -> None:
    server = Server([down(), down()], clock)
    assert clock.retrier()(server) == "answer"
    assert server.calls == 3
    assert clock.slept == [1.0, 2.0]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: error.code)
def test_each_error_that_may_pass_is_repeated(clock: Clock, error: ServiceError) -> None:
    assert clock.retrier()(Server([error], clock)) == "answer"


@pytest.mark.parametrize("error", FINAL, ids=lambda error: error.code)
def test_final_errors_and_those_of_others_are_not_repeated(
    clock: Clock, error: UsbprovError
) -> None:
    server = Server([error], clock)
    with pytest.raises(type(error)):
        clock.retrier()(server)
    assert (server.calls, clock.slept) == (1, [])


def test_a_final_error_after_a_passing_one_ends_it(clock: Clock) -> None:
    server = Server([down(), RequestRefused("pool", "No.")], clock)
    with pytest.raises(RequestRefused) as caught:
        clock.retrier()(server)
    assert caught.value.attempts == server.calls == 2


def test_attempts_are_bounded_and_the_last_error_knows_them(clock: Clock) -> None:
    server = Server([down() for _ in range(9)], clock)
    with pytest.raises(ServerFailed) as caught:
        clock.retrier()(server)
    assert caught.value.attempts == server.calls == 5
    assert str(caught.value).endswith("(tried 5 times)")
    assert clock.slept == [1.0, 2.0, 4.0, 8.0]


def test_time_is_bounded_with_slow_answers(clock: Clock) -> None:
    server = Server([down() for _ in range(9)], clock, takes=25.0)
    with pytest.raises(ServerFailed):
        clock.retrier()(server)
    assert server.calls == 3
    assert clock.now - 1000 < 60 + 25


@pytest.mark.parametrize("policy", [RetryPolicy(seconds=0), RetryPolicy(attempts=1)])
def test_repeating_can_be_switched_off(clock: Clock, policy: RetryPolicy) -> None:
    server = Server([down()], clock)
    with pytest.raises(ServerFailed) as caught:
        clock.retrier(policy)(server)
    assert (server.calls, caught.value.attempts) == (1, 1)
    assert "tried" not in str(caught.value)


def test_the_wish_of_the_server_is_kept(clock: Clock) -> None:
    clock.luck = 0.0
    server = Server([ServerBusy("pool", "busy", 7.0)], clock)
    assert clock.retrier()(server) == "answer"
    assert clock.slept == [7.0]


def test_the_wish_of_the_server_is_capped_by_the_time(clock: Clock) -> None:
    server = Server([ServerBusy("pool", "busy", 3600.0), ServerBusy("pool", "busy", 1.0)], clock)
    with pytest.raises(ServerBusy):
        clock.retrier(RetryPolicy(seconds=10))(server)
    assert clock.slept == [10.0]
    assert server.calls == 2


@given(luck=st.floats(0, 1), failures=st.integers(0, 8), wish=st.none() | st.floats(0, 1e6))
def test_whatever_happens_the_bounds_hold(luck: float, failures: int, wish: float | None) -> None:
    clock = Clock(luck=luck)
    server = Server([ServerBusy("pool", "busy", wish) for _ in range(failures)], clock)
    with suppress(ServerBusy):
        clock.retrier()(server)
    assert server.calls <= 5
    assert clock.now - 1000 <= 60.0001
    assert all(wait >= 0 for wait in clock.slept)


def test_jitter_spreads_over_the_whole_wait() -> None:
    waits = []
    for luck in (0.0, 0.25, 1.0):
        clock = Clock(luck=luck)
        clock.retrier()(Server([down(), down(), down()], clock))
        waits.append(clock.slept)
    assert waits == [[0.0, 0.0, 0.0], [0.25, 0.5, 1.0], [1.0, 2.0, 4.0]]


def test_each_repeat_is_told_before_the_wait(clock: Clock) -> None:
    asleep_when_told: list[int] = []
    retrier = Retrier(
        RetryPolicy(),
        lambda retry: (clock.told.append(retry), asleep_when_told.append(len(clock.slept)))[0],
        sleep=clock.sleep,
        clock=lambda: clock.now,
        chance=lambda: 1.0,
    )
    retrier(Server([down(), ServerBusy("pool", "busy", 2.5)], clock))
    assert asleep_when_told == [0, 1]
    assert [(r.wait, r.attempt, r.attempts) for r in clock.told] == [(1.0, 2, 5), (4.5, 3, 5)]
    assert str(clock.told[0]).startswith("in 1 s again (2 of 5): pool failed with HTTP status 500")


def test_ctrl_c_ends_the_wait_at_once(clock: Clock) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    server = Server([down()], clock)
    retrier = Retrier(RetryPolicy(), clock.told.append, sleep=interrupted)
    with pytest.raises(KeyboardInterrupt):
        retrier(server)
    assert server.calls == 1


def test_without_a_retrier_nothing_is_repeated(clock: Clock) -> None:
    call: Callable[[], str] = Server([down()], clock)
    with pytest.raises(ServerFailed):
        once(call)
