"""The policy of automatic top-up for one purpose: how many vacant clusters to keep, how many at most, and when."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from cimaster.pool.records import faults, record_lists, weekly_hours
from cimaster.pool.records.json_edit import ObjectText
from cimaster.pool.records.record import BROKEN, Record

DEFAULT_COOLDOWN = timedelta(minutes=5)


class Policy(Record):
    """The record of a policy; unknown fields are kept. A policy with a `fault` is ignored until it is corrected."""

    def __init__(self, fields: Mapping[str, Any], text: str | ObjectText | None = None, fault: str = "") -> None:
        super().__init__(fields, text)
        self.fault = fault or faults.of_policy(fields) or self._fault_of_hours()
        self.purpose, self.job, self.branch = self.get_text("purpose"), self.get_text("job"), self.get_text("branch")
        self.purpose = self.purpose or f"{BROKEN}-{self.digest}"
        self.min_vacant, self.max_total = self.get_number("minVacant"), self.get_number("maxTotal")
        self.max_creating = self.get_number("maxCreating") or 1

    @classmethod
    def parse(cls, text: str, value: object) -> "Policy":
        """Read a stored record. A broken one is kept unchanged, and ignored until it is corrected or removed."""
        fault = faults.of_object(value)
        return cls(value if isinstance(value, dict) else {}, text, fault)

    def edited(self, edits: Mapping[str, object]) -> "Policy":
        """Return the record with some terms changed; None removes one."""
        return Policy(*self._edited(edits))

    def described(self) -> dict[str, Any]:
        """Return the fields that callers may see."""
        if self.get_text("purpose") == self.purpose:
            return {**self.fields, **({"fault": self.fault} if self.fault else {})}
        return {"purpose": self.purpose, "fault": self.fault, "record": self.text}

    @property
    def cooldown(self) -> timedelta:
        """The time between two rounds of requests."""
        return self.get_duration("cooldown") or DEFAULT_COOLDOWN

    @property
    def hours(self) -> str:
        """The hours in which it is active, as the admin wrote them; empty means always."""
        return self.get_text("hours")

    @property
    def hours_with_zone(self) -> str:
        """The hours in which it is active, with their time zone; empty means always."""
        return weekly_hours.with_zone(self.hours) if self.hours else ""

    def _fault_of_hours(self) -> str:
        if self.has("hours") and not self.hours:
            return f"its hours are not a text: expected {weekly_hours.EXPECTED}"
        try:
            weekly_hours.parse(self.hours) if self.hours else None
        except ValueError as error:
            return f"its hours cannot be read: expected {error}"
        return ""

    @cached_property
    def _hours(self) -> weekly_hours.WeeklyHours | None:
        return weekly_hours.parse(self.hours) if self.hours else None

    def is_active(self, now: datetime) -> bool:
        """Whether it is active at this time of the week; a policy with a fault never is."""
        return not self.fault and (self._hours is None or self._hours.contains(now))


def parse_policies(text: str, known: Iterable[Policy] = ()) -> tuple[Policy, ...]:
    """Read the stored policies, reusing the `known` ones; ValueError if the text is not an array."""
    return record_lists.parse(text, known, Policy.parse, lambda policy: policy.purpose)
