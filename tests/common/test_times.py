"""Times and durations: formatted ones can be parsed, ends are never early, and wrong stored ones do no harm."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.common.clock import Clock
from cimaster.common.times import format_duration, format_end, format_time, parse_duration, parse_time, roughly

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=2_000_000)).map(lambda age: datetime(1970, 1, 2, tzinfo=UTC) + age)


@given(MOMENTS)
def test_a_time_is_read_back_to_the_second(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment.replace(microsecond=0)


@given(MOMENTS)
def test_an_end_is_never_early_and_less_than_a_second_late(moment: datetime) -> None:
    end = parse_time(format_end(moment))
    assert end is not None
    assert moment <= end < moment + timedelta(seconds=1)


def test_times_are_written_in_utc() -> None:
    there = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(there) == "2026-01-02T03:04:05Z"
    assert Clock()().tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["2026-01-02T12:00:00Z", "2026-01-02T14:00:00+02:00", "2026-01-02T12:00:00.000Z", "2026-01-02T12:00:00+00:00"],
)
def test_other_ways_to_write_a_time_are_read(text: str) -> None:
    assert parse_time(text) == NOON


@pytest.mark.parametrize(
    "text",
    [
        None,
        5,
        1.5,
        [],
        {},
        "",
        "now",
        "2026-01-02",
        "2026-01-02T12:00:00",
        "2026-13-02T12:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2026-01-02T12:00:00Z ",
        "\uff12026-01-02T12:00:00Z",
    ],
)
def test_anything_else_is_no_time(text: object) -> None:
    assert parse_time(text) is None


@given(st.text())
def test_no_text_breaks_the_parsers_of_times_and_durations(text: str) -> None:
    parse_time(text)
    parse_time(f"2026-01-02T{text}")
    parse_duration(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("6h", 21600),
        ("2d", 172800),
        ("999999999s", 999999999),
        ("1h30m", 5400),
        ("1w", 604800),
        ("2d12h", 216000),
        ("1w1d1h1m1s", 694861),
        ("999999999d", 86399999913600),
    ],
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0s",
        "00m",
        "6",
        "h",
        "6 h",
        "6H",
        "-6h",
        "+6h",
        "1.5h",
        "30m1h",
        "1h1h",
        "1h 30m",
        "1h30",
        "999999999w",
        " 6h",
        "6h\n",
        "06h",
        "\u0666h",
        "1e3s",
        6,
    ],
)
def test_anything_else_is_no_duration(text: object) -> None:
    assert parse_duration(text) is None


@given(st.integers(1, 10**8))
def test_a_duration_is_read_back_unchanged(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(hours=6), "6h"),
        (timedelta(seconds=90), "90s"),
        (timedelta(days=3), "3d"),
        (timedelta(hours=25), "25h"),
        (timedelta(milliseconds=1), "1s"),
        (timedelta(0), "0s"),
    ],
)
def test_durations_are_written_in_the_largest_unit(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(days=2, hours=3, minutes=9), "2 d 3 h"),
        (timedelta(days=1), "1 d"),
        (timedelta(hours=5, minutes=59, seconds=59), "5 h 59 min"),
        (timedelta(hours=6), "6 h"),
        (timedelta(minutes=3, seconds=2), "3 min"),
        (timedelta(seconds=40), "40 s"),
        (timedelta(seconds=0.2), "1 s"),
        (timedelta(seconds=-5), "0 s"),
    ],
)
def test_durations_are_shown_in_two_units_at_most(duration: timedelta, text: str) -> None:
    assert roughly(duration) == text
