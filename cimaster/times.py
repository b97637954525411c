"""Times and durations as they are written in data, parameters and settings: `2026-01-02T03:04:05Z`, `90s`, `6h`."""

import math
import re
from datetime import UTC, datetime, timedelta

_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def format_time(moment: datetime) -> str:
    """Write a moment as RFC 3339 UTC, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_end(moment: datetime) -> str:
    """Write the end of something, rounded up to the second, so that nothing ends early."""
    return format_time(moment + timedelta(microseconds=-moment.microsecond % 1_000_000))


def parse_time(text: object) -> datetime | None:
    """Read an RFC 3339 time; None for anything else, so that a slip made by hand in the data stops nothing."""
    if not isinstance(text, str) or "T" not in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def parse_duration(text: object) -> timedelta | None:
    """Read `90s`, `30m`, `6h` or `2d`; None for anything else, bare numbers included."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]]) if match else None


def format_duration(duration: timedelta) -> str:
    """Write a duration in the largest unit that divides it: `6h`, `90s`; it reads back as the same duration."""
    seconds = math.ceil(duration.total_seconds())
    for unit, size in _UNITS.items():
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size}{unit}"
    return "0s"


def roughly(duration: timedelta) -> str:
    """Write a duration for people, with at most two units: `2 d 3 h`, `5 h 59 min`, `40 s`."""
    seconds = max(0, math.ceil(duration.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds % 86400 // 3600, seconds % 3600 // 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"
