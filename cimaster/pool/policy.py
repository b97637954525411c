"""What keeps the clusters of one purpose filled: how many are wanted, how many there may be, and when."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from cimaster.pool import jsontext, weekly_hours
from cimaster.times import parse_duration

DEFAULT_COOLDOWN = timedelta(minutes=5)


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

    @property
    def hours_told(self) -> str:
        """When it works, with the time zone; nothing means always."""
        return weekly_hours.told(self.hours) if self.hours else ""

    @cached_property
    def fault(self) -> str:
        """What is wrong with the record, or nothing."""
        if not isinstance(self.fields.get("hours", ""), str):
            return f"its hours are no text: expected {weekly_hours.EXPECTED}"
        try:
            weekly_hours.parse(self.hours) if self.hours else None
        except ValueError as error:
            return f"its hours cannot be read: expected {error}"
        return ""

    @cached_property
    def _hours(self) -> weekly_hours.Hours | None:
        return weekly_hours.parse(self.hours) if self.hours else None

    def works(self, now: datetime) -> bool:
        """Whether it works at this time of the week; one with a fault never does."""
        return not self.fault and (self._hours is None or self._hours.have(now))
