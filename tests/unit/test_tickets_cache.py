"""Tickets that are kept: for whom, where, how long, and by several threads."""

import gc
import threading
import weakref
from datetime import UTC, datetime, timedelta

import pytest

from usbprov.webservices.ticket import Ticket, TicketCache

SERVER, AUDIENCE = "pool.test", "https://pool.test/CertProv/CertProvisioningService.svc/Proof"
HOURS = timedelta(hours=8)


def ticket(user: str = "sip:alice@contoso.test", left: timedelta = HOURS) -> Ticket:
    return Ticket(user, datetime.now(UTC) + left, "id", b"<assertion>", bytes(32), b"")


@pytest.fixture
def cache() -> TicketCache:
    return TicketCache()


@pytest.mark.parametrize(
    "user", ["sip:alice@contoso.test", "alice@contoso.test", "SIP:Alice@Contoso.Test"]
)
def test_ticket_is_found_however_its_user_is_written(cache: TicketCache, user: str) -> None:
    kept = ticket()
    cache.keep(SERVER, AUDIENCE, kept)
    assert cache.find(SERVER, user, AUDIENCE) is kept


@pytest.mark.parametrize(
    "key",
    [
        ("other.test", "sip:alice@contoso.test", AUDIENCE),
        (SERVER, "sip:bob@contoso.test", AUDIENCE),
        (SERVER, "sip:alice@contoso.test", "https://pool.test/other"),
    ],
)
def test_server_user_and_audience_must_all_be_the_same(
    cache: TicketCache, key: tuple[str, str, str]
) -> None:
    cache.keep(SERVER, AUDIENCE, ticket())
    assert cache.find(*key) is None


def test_newer_ticket_takes_the_place_of_an_older_one(cache: TicketCache) -> None:
    newer = ticket()
    cache.keep(SERVER, AUDIENCE, ticket())
    cache.keep(SERVER, AUDIENCE, newer)
    assert cache.find(SERVER, newer.sip_uri, AUDIENCE) is newer


def test_ticket_is_not_given_out_in_its_last_minute(cache: TicketCache) -> None:
    late = ticket(left=timedelta(seconds=59))
    cache.keep(SERVER, AUDIENCE, late)
    assert cache.find(SERVER, late.sip_uri, AUDIENCE) is None
    soon = ticket(left=timedelta(seconds=90))
    cache.keep(SERVER, AUDIENCE, soon)
    assert cache.find(SERVER, soon.sip_uri, AUDIENCE) is soon


def test_ticket_that_was_dropped_is_gone_and_no_other(cache: TicketCache) -> None:
    first, second = ticket(), ticket("sip:bob@contoso.test")
    for kept in (first, second):
        cache.keep(SERVER, AUDIENCE, kept)
    cache.drop(first)
    cache.drop(first)
    assert cache.find(SERVER, first.sip_uri, AUDIENCE) is None
    assert cache.find(SERVER, second.sip_uri, AUDIENCE) is second


def test_a_newer_ticket_outlives_the_dropping_of_an_older_one(cache: TicketCache) -> None:
    older, newer = ticket(), ticket()
    cache.keep(SERVER, AUDIENCE, older)
    cache.keep(SERVER, AUDIENCE, newer)
    cache.drop(older)
    assert cache.find(SERVER, newer.sip_uri, AUDIENCE) is newer


def test_threads_may_share_it(cache: TicketCache) -> None:
    wrong: list[str] = []

    def work(number: int) -> None:
        user = f"sip:user{number % 4}@contoso.test"
        for _ in range(300):
            kept = ticket(user)
            cache.keep(SERVER, AUDIENCE, kept)
            found = cache.find(SERVER, user, AUDIENCE)
            if found is not None and found.sip_uri != user:
                wrong.append(user)
            cache.drop(kept)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_it_shows_no_secret(cache: TicketCache) -> None:
    cache.keep(SERVER, AUDIENCE, ticket())
    assert "<assertion>" not in repr(cache)
    assert "<assertion>" not in str(vars(cache))


def test_a_users_tickets_are_forgotten_and_no_others(cache: TicketCache) -> None:
    first, second = ticket(), ticket("sip:bob@contoso.test")
    for kept in (first, second):
        cache.keep(SERVER, AUDIENCE, kept)
        cache.keep(SERVER, AUDIENCE + "/other", kept)
    cache.forget("Alice@contoso.test")
    assert cache.find(SERVER, first.sip_uri, AUDIENCE) is None
    assert cache.find(SERVER, first.sip_uri, AUDIENCE + "/other") is None
    assert cache.find(SERVER, second.sip_uri, AUDIENCE) is second


def test_tickets_that_have_expired_take_no_memory(cache: TicketCache) -> None:
    old = weakref.ref(late := ticket(left=timedelta(seconds=59)))
    cache.keep(SERVER, AUDIENCE, late)
    del late
    assert old() is not None
    cache.keep(SERVER, AUDIENCE, ticket("sip:bob@contoso.test"))
    gc.collect()
    assert old() is None
