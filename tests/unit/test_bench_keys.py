"""Keys made ahead: bounded, each given out once, and none kept when the pool is closed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from processes import wait_for

from usbprov.bench.keypool import KeyPool


class Maker:
    """Makes numbers in place of keys, as fast as ``free`` lets it."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.made = count(1)
        self.at_work = self.most = self.begun = 0
        self.lock = threading.Lock()

    def __call__(self, _bits: int) -> Any:
        with self.lock:
            self.begun += 1
            self.at_work += 1
            self.most = max(self.most, self.at_work)
        self.free.wait(10)
        with self.lock:
            self.at_work -= 1
        return next(self.made)


@contextmanager
def pool(maker: Any, threads: int = 2, ahead: int = 0) -> Iterator[KeyPool]:
    with KeyPool(2048, threads, ahead, maker) as made:
        yield made


def test_nothing_is_made_before_somebody_wants_it() -> None:
    maker = Maker()
    maker.free.set()
    with pool(maker, ahead=3) as keys:
        assert maker.begun == 0
        assert keys.take() == 1


def test_no_more_threads_make_keys_than_allowed() -> None:
    maker = Maker()
    with pool(maker, threads=2) as keys:
        for _ in range(10):
            keys.expect()
        wait_for(lambda: maker.begun == 2, "two threads at work")
        maker.free.set()
        taken = {keys.take(expected=True) for _ in range(10)}
    assert maker.most == 2
    assert taken == set(range(1, 11))


def test_keys_are_made_ahead_for_phones_that_will_come() -> None:
    maker = Maker()
    maker.free.set()
    with pool(maker, ahead=3) as keys:
        keys.expect()
        wait_for(lambda: maker.begun == 4, "one that is expected and three ahead")
        assert keys.take(expected=True)
        assert keys.take()
        wait_for(lambda: maker.begun == 5, "another one ahead")


def test_none_is_made_ahead_for_more_phones_than_there_are_users() -> None:
    maker = Maker()
    maker.free.set()
    with KeyPool(2048, 2, 3, maker, most=2) as keys:
        keys.expect()
        assert {keys.take(expected=True), keys.take()} == {1, 2}
        assert keys.take() == 3, "whoever wants one gets it all the same"
    assert maker.begun == 3


def test_an_expected_key_that_is_given_up_is_there_for_the_next() -> None:
    maker = Maker()
    maker.free.set()
    with pool(maker) as keys:
        keys.expect()
        keys.give_up()
        assert keys.take() == 1


def test_whoever_takes_is_told_of_a_failure() -> None:
    def fails(_bits: int) -> Any:
        raise MemoryError("no room")

    with pool(fails) as keys, pytest.raises(MemoryError):
        keys.take()


def test_a_closed_pool_keeps_nothing_and_gives_nothing() -> None:
    maker = Maker()
    maker.free.set()
    with pool(maker, ahead=2) as keys:
        keys.expect()
        wait_for(lambda: maker.begun == 3 and not maker.at_work, "three keys")
    assert not keys._ready
    with pytest.raises(RuntimeError):
        keys.take()


def test_real_keys_are_of_the_length_asked_for_and_differ() -> None:
    with KeyPool(2048, 2, 0) as keys:
        keys.expect()
        first, second = keys.take(expected=True), keys.take()
    assert first.key_size == second.key_size == 2048
    assert first.private_numbers() != second.private_numbers()
