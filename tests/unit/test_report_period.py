"""Which time a report is about, whatever this computer's zone is."""

from datetime import UTC, datetime, timedelta

import pytest

from usbprov.bench.report.period import PAUSE, last_shift, parse_when

NOW = datetime(2026, 11, 29, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("8h", NOW - timedelta(hours=8)),
        ("2d", NOW - timedelta(days=2)),
        ("2026-11-29T08:30:00Z", datetime(2026, 11, 29, 8, 30, tzinfo=UTC)),
        ("2026-11-29T08:30+02:00", datetime(2026, 11, 29, 6, 30, tzinfo=UTC)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    assert parse_when(text, NOW) == moment


@pytest.mark.parametrize("text", ["8:30", "08:30"])
def test_a_time_is_todays_by_this_computers_zone(text: str) -> None:
    here = parse_when(text, NOW).astimezone()
    assert (here.date(), here.hour, here.minute) == (NOW.astimezone().date(), 8, 30)


def test_a_date_begins_at_midnight_by_this_computers_zone() -> None:
    here = parse_when("2026-11-20", NOW).astimezone()
    assert (here.day, here.hour, here.minute) == (20, 0, 0)


@pytest.mark.parametrize("text", ["", "soon", "8 h", "25:00", "2026-13-01", "-1h", "9999999d"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_when(text, NOW)


def jobs(*spans: tuple[float, float]) -> list[tuple[datetime, datetime]]:
    """Return jobs by the hours of their begin and end."""
    made = [(NOW + timedelta(hours=a), NOW + timedelta(hours=b)) for a, b in spans]
    return sorted(made, key=lambda job: job[1], reverse=True)


def test_a_pause_parts_two_shifts() -> None:
    hours = PAUSE / timedelta(hours=1)
    assert last_shift(jobs((0, 1), (1, 2), (3, 5), (5, 6))) == NOW
    assert last_shift(jobs((0, 1), (1 + hours, 2 + hours))) == NOW + timedelta(hours=1 + hours)
    assert last_shift(jobs((0, 1), (0.99 + hours, 2 + hours))) == NOW


def test_a_long_job_holds_a_shift_together() -> None:
    assert last_shift(jobs((0, 9), (8, 8.5), (1, 2))) == NOW


def test_without_work_there_is_no_shift() -> None:
    assert last_shift([]) is None
