"""What one worker asks a server, the others need not."""

import threading

import pytest

from usbprov.bench.sharing import Kept


def test_it_is_asked_once_and_again_after_a_while() -> None:
    now = [0.0]
    kept: Kept[int] = Kept(60, lambda: now[0])
    answers = iter((1, 2))
    assert kept.get(lambda: next(answers)) == 1
    now[0] = 59
    assert kept.get(lambda: next(answers)) == 1
    now[0] = 61
    assert kept.get(lambda: next(answers)) == 2


def test_those_who_come_meanwhile_wait_for_the_one_who_asks() -> None:
    kept: Kept[str] = Kept(60)
    asking, answered = threading.Event(), threading.Event()
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        asking.set()
        assert answered.wait(10)
        return "chain"

    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(kept.get(ask))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert asking.wait(10)
    answered.set()
    for thread in threads:
        thread.join(10)
    assert found == ["chain"] * 5
    assert len(asked) == 1


def test_an_error_is_ones_own_and_the_others_ask_for_themselves() -> None:
    kept: Kept[str] = Kept(60)
    asking, failing = threading.Event(), threading.Event()

    def fails() -> str:
        asking.set()
        assert failing.wait(10)
        raise OSError("down")

    errors: list[BaseException] = []

    def first() -> None:
        with pytest.raises(OSError, match="down") as caught:
            kept.get(fails)
        errors.append(caught.value)

    found: list[str] = []
    one = threading.Thread(target=first)
    one.start()
    assert asking.wait(10)
    other = threading.Thread(target=lambda: found.append(kept.get(lambda: "up")))
    other.start()
    failing.set()
    one.join(10)
    other.join(10)
    assert len(errors) == 1
    assert found == ["up"]
