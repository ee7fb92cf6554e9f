"""The rate of a bench, over the last quarter of an hour."""

from usbprov.bench.rates import WINDOW, Rates


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_known_at_first() -> None:
    clock = Clock()
    rates = Rates(clock)
    clock.now += 60
    assert rates.per_hour() is None
    assert rates.left(10) is None


def test_the_rate_is_of_the_time_that_has_passed() -> None:
    clock = Clock()
    rates = Rates(clock)
    for _ in range(10):
        clock.now += 6
        rates.note_done()
    assert rates.per_hour() == 600
    assert rates.left(60) == 360


def test_what_was_done_long_ago_does_not_count() -> None:
    clock = Clock()
    rates = Rates(clock)
    for _ in range(100):
        rates.note_done()
    clock.now += WINDOW + 1
    assert rates.per_hour() is None
    rates.note_done()
    assert rates.per_hour() == 3600 / WINDOW
