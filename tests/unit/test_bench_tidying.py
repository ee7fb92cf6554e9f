"""Free memory is given back once in a while, however many workers end."""

import pytest

from usbprov.bench import tidying
from usbprov.bench.tidying import Tidier


def test_it_is_given_back_at_once_and_then_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now, times = [100.0], [0]
    monkeypatch.setattr(tidying.time, "monotonic", lambda: now[0])

    def trim() -> None:
        times[0] += 1

    tidier = Tidier(trim)
    for later, trims in ((0.0, 1), (0.5, 1), (0.6, 2), (0.1, 2), (1.0, 3)):
        now[0] += later
        tidier.tidy()
        assert times[0] == trims


def test_the_systems_own_way_is_borne_anywhere() -> None:
    Tidier().tidy()
