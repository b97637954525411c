"""Hours of the week in the local time of a time zone: `Mon-Fri 22:00-06:00, Sat 08:00-12:00 Europe/Berlin`."""

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EXPECTED = "days and hours, such as Mon-Fri 07:00-19:00 or Mon-Fri 22:00-06:00 Europe/Berlin"
_DAY, _TIME = "|".join(DAYS), r"([01][0-9]|2[0-3]):([0-5][0-9])"
_SPAN = re.compile(rf"({_DAY})(?:-({_DAY}))? {_TIME}-(?:{_TIME}|24:00)")
_ZONED = re.compile(r"(.*[0-9]) +([A-Za-z]\S*)", re.DOTALL)
_ZONE = re.compile(r"[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")  # others (localtime) depend on the machine
_DAY_ENDS = 24 * 60


@dataclass(frozen=True)
class DailySpan:
    """A daily span on certain days (0 is Monday), from one minute of the day to another.

    A span that ends before it begins ends on the next day.
    """

    days: frozenset[int]
    begins: int
    ends: int

    def contains(self, day: int, minute: int) -> bool:
        """Say whether a minute of a day is in the span; the hours after midnight belong to the day before."""
        if self.begins < self.ends:
            return day in self.days and self.begins <= minute < self.ends
        return (day in self.days and minute >= self.begins) or ((day - 1) % 7 in self.days and minute < self.ends)


@dataclass(frozen=True)
class WeeklyHours:
    """Daily spans in the local time of one time zone."""

    spans: tuple[DailySpan, ...]
    zone: ZoneInfo

    def contains(self, moment: datetime) -> bool:
        """Say whether a moment is in one of the spans."""
        local = moment.astimezone(self.zone)
        return any(span.contains(local.weekday(), local.hour * 60 + local.minute) for span in self.spans)


def parse(text: str) -> WeeklyHours:
    """Read hours, in UTC unless they name a time zone; ValueError says what is expected instead."""
    zoned = _ZONED.fullmatch(text.strip())
    spans, zone = zoned.groups() if zoned else (text, "UTC")
    return WeeklyHours(tuple(_span(part.strip()) for part in spans.split(",")), _zone(zone))


def _span(text: str) -> DailySpan:
    match = _SPAN.fullmatch(text)
    if not match:
        raise ValueError(EXPECTED)
    first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
    days = frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))
    begins = int(match[3]) * 60 + int(match[4])
    ends = int(match[5]) * 60 + int(match[6]) if match[5] else _DAY_ENDS
    if begins == ends:
        raise ValueError(
            "hours that begin and end at different times, such as Mon 07:00-19:00, or 00:00-24:00 for a whole day"
        )
    return DailySpan(days, begins, ends)


def _zone(name: str) -> ZoneInfo:
    try:
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # an unknown name; a folder of zones, such as Europe
        pass
    raise ValueError(f"a time zone such as Europe/Berlin in place of {name[:40]}, which is not known here")


def with_zone(text: str) -> str:
    """Return hours with their time zone; UTC is added if none is named."""
    return text if _ZONED.fullmatch(text.strip()) else f"{text} UTC"
