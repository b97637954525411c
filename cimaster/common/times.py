"""Reads and writes times and durations: `2026-01-02T03:04:05Z`, `90s`, `6h`."""

import math
import re
from datetime import UTC, datetime, timedelta

CENTURY = timedelta(days=36500)  # longer durations in the data are mistakes
_FIRST_YEAR, _LAST_YEAR = 1900, 2250  # of the times that the data may hold
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_READ_UNITS = {"w": 7 * 86400, **_UNITS}
_DURATION = re.compile("".join(f"(?:([1-9][0-9]{{0,8}}){unit})?" for unit in _READ_UNITS))
A_DURATION = "a duration such as 90s, 30m, 6h, 2d or 1h30m"


def format_time(moment: datetime) -> str:
    """Format a time as RFC 3339 UTC, in whole seconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def format_end(moment: datetime) -> str:
    """Format an end time, rounded up to the second, so that nothing ends early."""
    return format_time(moment + timedelta(microseconds=-moment.microsecond % 1_000_000))


def parse_time(text: object) -> datetime | None:
    """Parse an RFC 3339 time; return None for anything else, so that mistakes in edited data do no harm."""
    if not isinstance(text, str) or "T" not in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def stored_time(text: object) -> datetime | None:
    """Parse a stored time; return None if it is not a time or outside of the years 1900 to 2250.

    A `stored_duration` can be added to it without an overflow.
    """
    moment = parse_time(text)
    return moment if moment and may_be_stored(moment) else None


def may_be_stored(moment: datetime) -> bool:
    """Say whether a time is in the years 1900 to 2250; all others in the data are mistakes."""
    return _FIRST_YEAR <= moment.year <= _LAST_YEAR


def stored_duration(text: object) -> timedelta | None:
    """Parse a stored duration; return None if it is not a duration or longer than a century."""
    duration = parse_duration(text)
    return duration if duration is not None and duration <= CENTURY else None


def parse_duration(text: object) -> timedelta | None:
    """Parse `90s`, `30m`, `6h`, `2d`, `1w`, or several of them such as `1h30m`; return None for anything else.

    Numbers without a unit are refused, and durations longer than Python's maximum of 2.7 million years.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    numbers = match.groups(0) if match else ()
    seconds = sum(int(number) * size for number, size in zip(numbers, _READ_UNITS.values(), strict=False))
    return timedelta(seconds=seconds) if 0 < seconds <= timedelta.max.total_seconds() else None


def format_duration(duration: timedelta) -> str:
    """Format a duration in the largest unit that divides it: `6h`, `90s`; `parse_duration` reads it back."""
    seconds = math.ceil(duration.total_seconds())
    for unit, size in _UNITS.items():
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size}{unit}"
    return "0s"


def roughly(duration: timedelta) -> str:
    """Format a duration for people, with at most two units: `2 d 3 h`, `5 h 59 min`, `40 s`."""
    seconds = max(0, math.ceil(duration.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds % 86400 // 3600, seconds % 3600 // 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def about(duration: timedelta) -> str:
    """Format an estimate for people: `about 12 min`, rounded up to minutes."""
    minutes = timedelta(minutes=math.ceil(duration / timedelta(minutes=1)))
    return f"about {roughly(minutes)}" if duration >= timedelta(minutes=1) else "less than a minute"
