"""What keeps the clusters of one purpose filled: how many are wanted, how many there may be, and when."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from cimaster.pool import jsontext
from cimaster.times import parse_duration

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY, _TIME = "|".join(DAYS), r"([01][0-9]|2[0-3]):([0-5][0-9])"
_HOURS = re.compile(rf"({_DAY})(?:-({_DAY}))? {_TIME}-(?:{_TIME}|24:00)")
DEFAULT_COOLDOWN = timedelta(minutes=5)


@dataclass(frozen=True)
class Span:
    """A part of the week: on these days (0 is Monday), from one minute of the day to another (UTC)."""

    days: frozenset[int]
    begins: int
    ends: int


def parse_hours(text: str) -> tuple[Span, ...]:
    """Read `Mon-Fri 07:00-19:00, Sat 08:00-24:00`; ValueError if it is not of that form."""
    spans = []
    for part in text.split(","):
        match = _HOURS.fullmatch(part.strip())
        if not match:
            raise ValueError("days and hours in UTC, such as 'Mon-Fri 07:00-19:00'")
        first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
        days = frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))
        ends = int(match[5]) * 60 + int(match[6]) if match[5] else 24 * 60
        begins = int(match[3]) * 60 + int(match[4])
        if begins >= ends:
            raise ValueError("hours that end later on the same day; write two spans for a night")
        spans.append(Span(days, begins, ends))
    return tuple(spans)


class Policy:
    """The record of a policy; fields that are not ours are kept. One with a `fault` does nothing until it is mended."""

    def __init__(self, fields: Mapping[str, Any], text: str | None = None) -> None:
        self.fields = fields
        self.text = jsontext.dump(fields) if text is None else text
        self.purpose, self.job, self.branch = self.say("purpose"), self.say("job"), self.say("branch")
        self.min_vacant, self.max_total = self._number("minVacant"), self._number("maxTotal")
        self.max_creating = self._number("maxCreating") or 1

    @classmethod
    def parse(cls, text: str, value: object) -> "Policy":
        """Read a stored record. One that is none is kept as it is, and has no purpose."""
        return cls(value if isinstance(value, dict) else {}, text)

    def say(self, key: str) -> str:
        """Return one of the record's texts, or nothing."""
        value = self.fields.get(key)
        return value if isinstance(value, str) else ""

    def _number(self, key: str) -> int:
        value = self.fields.get(key)
        return max(value, 0) if isinstance(value, int) else 0

    @property
    def cooldown(self) -> timedelta:
        """The time between two rounds of requests."""
        return parse_duration(self.say("cooldown")) or DEFAULT_COOLDOWN

    @property
    def hours(self) -> str:
        """When it works, as it was written; nothing means always."""
        return self.say("hours")

    @cached_property
    def fault(self) -> str:
        """What is wrong with the record, or nothing."""
        try:
            parse_hours(self.hours) if self.hours else ()
        except ValueError as error:
            return f"its hours cannot be read: expected {error}"
        return ""

    @cached_property
    def _spans(self) -> tuple[Span, ...]:
        return parse_hours(self.hours) if self.hours and not self.fault else ()

    def works(self, now: datetime) -> bool:
        """Whether it works at this time of the week."""
        minute = now.hour * 60 + now.minute
        return not self._spans or any(
            now.weekday() in span.days and span.begins <= minute < span.ends for span in self._spans
        )
