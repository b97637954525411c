"""A notice: what is to be said about a change, and the destinations to which it has not been sent yet."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from cimaster.common.times import format_time
from cimaster.pool.records import faults, record_lists
from cimaster.pool.records.field_types import checked
from cimaster.pool.records.json_edit import ObjectText
from cimaster.pool.records.record import BROKEN, Record

HOLD_ENDING, HOLD_ENDED, YOUR_TURN = "hold-ending", "hold-ended", "your-turn"
LEASE_OVERDUE, QUARANTINED, CREATION_FAILED = "lease-overdue", "quarantined", "creation-failed"
NONE_VACANT, VACANT_AGAIN = "none-vacant", "vacant-again"
NOTICE_KINDS = (
    HOLD_ENDING,
    HOLD_ENDED,
    YOUR_TURN,
    LEASE_OVERDUE,
    QUARANTINED,
    CREATION_FAILED,
    NONE_VACANT,
    VACANT_AGAIN,
)


class Notice(Record):
    """The record of a notice, under whose `id` every receiver gets it, also if it is sent twice.

    A destination is the name of a channel, or `channel/person` for a person whom the channel reaches. A record with a
    `fault` is kept unchanged, and not sent.
    """

    TIMES = ("at", "ends", "failedSince")

    def __init__(self, fields: Mapping[str, Any], text: str | ObjectText | None = None, fault: str = "") -> None:
        super().__init__(fields, text, fault)
        self.id = f"{BROKEN}-{self.digest}" if fault else self.get_id("id")
        self.kind, self.purpose, self.person = self.get_text("kind"), self.get_text("purpose"), self.get_text("person")
        self.at = self.get_time("at")

    @classmethod
    def parse(cls, text: str, value: object) -> "Notice":
        """Read a stored record."""
        fault = faults.of_notice(value, NOTICE_KINDS)
        return cls(value if isinstance(value, dict) and not fault else {}, text, fault)

    @classmethod
    def new(cls, kind: str, now: datetime, identity: str, facts: Mapping[str, str]) -> "Notice":
        """Make a new record; empty facts are omitted."""
        given = {key: value for key, value in facts.items() if value}
        return cls(checked({"id": identity, "kind": kind, "at": format_time(now), **given}))

    def edited(self, edits: Mapping[str, object]) -> "Notice":
        """Return the record with some members changed."""
        return Notice(*self._edited(edits))

    def addressed(self, destinations: Iterable[str]) -> "Notice":
        """Return the record with the destinations to which it still has to be sent."""
        return self.edited({"sendTo": list(destinations)})

    def failing(self, now: datetime) -> "Notice":
        """Return the record with the time since when a channel fails; an earlier time stays."""
        return self if self.get_time("failedSince") else self.edited({"failedSince": format_time(now)})

    @cached_property
    def destinations(self) -> tuple[str, ...]:
        """The destinations to which it has not been sent yet."""
        return tuple(self.fields.get("sendTo", ()))

    def destinations_in(self, channel: str) -> tuple[str, ...]:
        """Return its destinations that a channel reaches."""
        return tuple(each for each in self.destinations if channel_of(each) == channel)

    @property
    def failed_since(self) -> datetime | None:
        """Since when it could not be sent; None if no channel has failed with it."""
        return self.get_time("failedSince")


def channel_of(destination: str) -> str:
    """Return the channel of a destination."""
    return destination.partition("/")[0]


def person_of(destination: str) -> str:
    """Return the person of a destination; empty for the channel itself."""
    return destination.partition("/")[2]


def parse_notices(text: str, known: Iterable[Notice] = ()) -> tuple[Notice, ...]:
    """Read the stored notices, reusing the `known` ones; ValueError if the text is not an array."""
    return record_lists.parse(text, known, Notice.parse, lambda notice: notice.id)
