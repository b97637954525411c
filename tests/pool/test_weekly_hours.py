"""Hours of the week: days, nights and local time, including the changes to and from summer time."""

from datetime import UTC, datetime, timedelta

import pytest

from cimaster.pool import parsers
from cimaster.pool.records import weekly_hours
from cimaster.pool.records.weekly_hours import DailySpan

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "days", "begins", "ends", "zone"),
    [
        ("Mon 00:00-24:00", {0}, 0, 1440, "UTC"),
        ("Fri-Mon 06:30-07:00", {4, 5, 6, 0}, 390, 420, "UTC"),
        ("Sun-Sun 01:00-02:00", {6}, 60, 120, "UTC"),
        ("Mon-Fri 22:00-06:00 Europe/Berlin", {0, 1, 2, 3, 4}, 1320, 360, "Europe/Berlin"),
        ("Sun 22:00-00:00 America/Argentina/Buenos_Aires", {6}, 1320, 0, "America/Argentina/Buenos_Aires"),
        ("Mon 07:00-08:00  Etc/GMT+5", {0}, 420, 480, "Etc/GMT+5"),
        (" Mon 07:00-08:00 CET ", {0}, 420, 480, "CET"),
    ],
)
def test_hours_are_read(text: str, days: set[int], begins: int, ends: int, zone: str) -> None:
    read = weekly_hours.parse(text)
    assert read.spans == (DailySpan(frozenset(days), begins, ends),)
    assert read.zone.key == zone
    assert weekly_hours.with_zone(text) == (text if zone != "UTC" else f"{text} UTC")


def test_several_spans_have_one_zone() -> None:
    read = weekly_hours.parse("Mon-Fri 07:00-19:00, Sat 08:00-12:00 Asia/Tokyo")
    assert (len(read.spans), read.zone.key) == (2, "Asia/Tokyo")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mon",
        "Mon 7:00-9:00",
        "Mon 25:00-26:00",
        "Mon 00:00-24:01",
        "mon 07:00-08:00",
        "Mon 07:00-08:00,",
        "Mon-Tue-Wed 07:00-08:00",
        "Mon 07:00-08:00; Tue 07:00-08:00",
        "\u0661",
        "Europe/Berlin",
        "Mon 07:00-08:00 Europe/Berlin, Tue 07:00-08:00",
        "Mon 07:00-08:00 Europe/Berlin UTC",
        "Mon 24:00-06:00",
        "Mon 07:00-08:00 +01:00",
        "x" * 200,
    ],
)
def test_invalid_hours_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"^days and hours, such as Mon-Fri 07:00-19:00 or .* Europe/Berlin$"):
        parsers.hours(text)


@pytest.mark.parametrize(
    "zone",
    ["Europe/Berln", "Europe", "europe/berlin", "localtime", "posixrules", "MEZ", "X" * 150, "A/../B", "A/B/C/D"],
)
def test_an_unknown_zone_is_refused_with_an_example(zone: str) -> None:
    with pytest.raises(ValueError, match=r"^a time zone such as Europe/Berlin in place of \S+, which is") as told:
        parsers.hours(f"Mon 07:00-08:00 {zone}")
    assert zone[:40] in str(told.value)


def test_an_empty_span_is_refused() -> None:
    with pytest.raises(ValueError, match="hours that begin and end at different times, such as Mon 07:00-19:00"):
        parsers.hours("Mon 09:00-09:00")


def hours_of_a_week(text: str, monday: datetime = MONDAY) -> list[int]:
    """Return which hours of the week that starts at `monday` are in the hours of a text."""
    read = weekly_hours.parse(text)
    return [hour for hour in range(7 * 24) if read.contains(monday + timedelta(hours=hour))]


def test_a_night_belongs_to_the_day_on_which_it_starts() -> None:
    assert hours_of_a_week("Fri 22:00-06:00") == list(range(4 * 24 + 22, 5 * 24 + 6))
    assert hours_of_a_week("Sun 22:00-06:00") == [*range(6), 6 * 24 + 22, 6 * 24 + 23]
    assert hours_of_a_week("Mon 23:00-00:00") == [23]
    nights = hours_of_a_week("Mon-Fri 22:00-06:00")
    assert len(nights) == 5 * 8
    assert not any(hour < 22 for hour in nights)


def test_a_span_includes_its_first_minute_and_excludes_its_end() -> None:
    read = weekly_hours.parse("Mon 22:30-06:15, Wed 08:00-08:01")
    moments = ((0, 22, 29), (0, 22, 30), (1, 6, 14), (1, 6, 15), (2, 7, 59), (2, 8, 0), (2, 8, 1))
    have = [read.contains(MONDAY + timedelta(days=d, hours=h, minutes=m, seconds=59)) for d, h, m in moments]
    assert have == [False, True, True, False, False, True, False]


def test_hours_use_local_time_in_summer_and_winter() -> None:
    text = "Mon-Fri 07:00-19:00 Europe/Berlin"
    summer, winter = (weekly_hours.parse(text).contains, weekly_hours.parse(text).contains)
    for hour, in_summer, in_winter in ((4, False, False), (5, True, False), (6, True, True), (17, False, True)):
        assert summer(datetime(2026, 7, 6, hour, 30, tzinfo=UTC)) is in_summer
        assert winter(datetime(2026, 1, 5, hour, 30, tzinfo=UTC)) is in_winter


def test_a_clock_change_shortens_or_lengthens_the_night() -> None:
    night = "Sat 22:00-06:00 Europe/Berlin"
    assert len(hours_of_a_week(night, datetime(2026, 3, 23, tzinfo=UTC))) == 7
    assert len(hours_of_a_week(night, datetime(2026, 10, 19, tzinfo=UTC))) == 9
    assert len(hours_of_a_week(night)) == 8
    assert hours_of_a_week("Sun 02:00-03:00 Europe/Berlin", datetime(2026, 3, 23, tzinfo=UTC)) == []
    assert len(hours_of_a_week("Sun 02:00-03:00 Europe/Berlin", datetime(2026, 10, 19, tzinfo=UTC))) == 2


def test_days_are_local_days() -> None:
    assert hours_of_a_week("Mon 00:00-24:00 Asia/Tokyo") == [*range(15), *range(6 * 24 + 15, 7 * 24)]
    assert hours_of_a_week("Mon 00:00-24:00 America/Los_Angeles") == list(range(8, 32))
