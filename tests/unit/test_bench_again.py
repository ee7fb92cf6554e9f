"""Trying a job again: what may pass, within bounds, and never a PIN that may have counted."""

import pytest

from usbprov.bench.again import Again, Patience, locks_nobody
from usbprov.engine.order import CredentialOrder
from usbprov.errors import (
    ClaimedElsewhere,
    CredentialRefused,
    PhoneGone,
    ServerBusy,
    ServerFailed,
    ServerTimeout,
    ServerUnreachable,
    UsbprovError,
)
from usbprov.net.credentials import Way

PATIENCE = Patience(seconds=100, first_wait=2, longest_wait=30, occupied_wait=1)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def again(clock: Clock | None = None) -> Again:
    return Again(PATIENCE, clock or Clock(), chance=lambda: 1.0)


def test_the_waits_double_up_to_the_longest() -> None:
    tried, error = again(), ServerUnreachable("pool", "down")
    waits = [tried.wait(error, secret_used=False) for _ in range(6)]
    assert waits == [2, 4, 8, 16, 30, 30]
    assert tried.attempt == 7


def test_after_some_time_without_progress_it_is_given_up() -> None:
    clock = Clock()
    tried, error = again(clock), ServerUnreachable("pool", "down")
    clock.now = 99
    assert tried.wait(error, secret_used=False) == 2
    clock.now = 100
    assert tried.wait(error, secret_used=False) is None
    tried.reset()
    assert tried.wait(error, secret_used=False) == 2


def test_what_is_final_is_not_tried_again() -> None:
    assert again().wait(CredentialRefused("pool", "wrong"), secret_used=True) is None


@pytest.mark.parametrize(
    "error",
    [
        ServerTimeout("pool", 30),
        ServerUnreachable("pool", "the connection broke", connected=True),
    ],
)
def test_a_pin_that_may_have_been_judged_is_never_sent_again(error: UsbprovError) -> None:
    assert again().wait(error, secret_used=True) is None
    assert again().wait(error, secret_used=False) is not None


@pytest.mark.parametrize(
    "error",
    [
        ServerUnreachable("pool", "it refuses the connection"),
        ServerFailed("pool", 503),
        ServerBusy("pool"),
        PhoneGone("phone 1-1"),
    ],
)
def test_a_pin_that_was_not_judged_may_be_sent_again(error: UsbprovError) -> None:
    assert again().wait(error, secret_used=True) == 2


def test_a_server_that_names_a_time_is_given_it() -> None:
    assert again().wait(ServerBusy("pool", retry_after=20), secret_used=False) == 22


def test_waiting_for_somebody_else_is_no_attempt() -> None:
    tried = again()
    assert tried.wait(ClaimedElsewhere("x", "bench two, port B1"), secret_used=False) == 1
    assert tried.attempt == 1


def test_which_credentials_lock_nobody_out() -> None:
    assert locks_nobody(CredentialOrder((Way.CERTIFICATE, Way.KERBEROS)))
    assert not locks_nobody(CredentialOrder((Way.PIN,)))
    assert not locks_nobody(CredentialOrder((Way.KERBEROS, Way.NTLM)))
