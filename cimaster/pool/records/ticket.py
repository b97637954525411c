"""A place in the queue: who waits for which kind of cluster, since when, and whether they are still there."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from cimaster.common.times import format_duration, format_end, format_time
from cimaster.pool.records import faults, record_lists
from cimaster.pool.records.criteria import Criteria
from cimaster.pool.records.field_types import checked
from cimaster.pool.records.json_edit import ObjectText
from cimaster.pool.records.json_values import dump
from cimaster.pool.records.record import BROKEN, Fields, Record

PRIORITIES = ("low", "normal", "high")
NORMAL = "normal"
RISES_EVERY = timedelta(minutes=10)  # of waiting lift a ticket by one level
BETWEEN_POLLS = timedelta(seconds=5)  # for which a cluster is kept for somebody who asks again and again
FORGOTTEN_AFTER = timedelta(seconds=90)  # of silence
_LONGEST_INTERVAL = timedelta(seconds=60)  # of a script for which a cluster is kept all the time
_SLACK = 1.25  # by which the next pause between two requests of a script may be longer than the last
_LONGEST_STAY = timedelta(days=1)  # ahead of now; a later time was written by hand, and reserves nothing
LONG_AGO = datetime.fromtimestamp(0, UTC)  # where nothing readable is written
_LEAST_CHARGE = 300  # bytes
NEVER = datetime.max.replace(tzinfo=UTC)
_POLLS = "poll-"


class Ticket(Record):
    """The record of a place in the queue; fields that are not ours are kept.

    `here` is until when its caller is connected, or was; `keeps` is for how long after that a cluster is kept for it.
    `until` is the end of the wait, None for a script that just asks again and again. `gone_at` is when nobody expects
    its caller any more.
    """

    TIMES = ("since", "until", "here", "keeps")

    def __init__(self, fields: Mapping[str, Any], text: str | ObjectText | None = None, fault: str = "") -> None:
        super().__init__(fields, text, fault)
        self.id = f"{BROKEN}-{self.digest}" if fault else self.get_text("id")
        self.hash, self.owner = self.get_text("hash"), self.get_text("owner")
        self.since = self.get_time("since") or LONG_AGO
        self.until = self.get_time("until")
        self.connected_until = self.get_time("here") or LONG_AGO
        self.reserved_for = self.get_duration("keeps") or BETWEEN_POLLS
        self.priority = self.get_text("priority") if self.get_text("priority") in PRIORITIES else NORMAL
        # plain attributes, because every decision looks at them in every ticket
        self.reserved_until = self.connected_until + self.reserved_for
        self.dropped_at = NEVER if fault else self.connected_until + FORGOTTEN_AFTER
        self._begins_at = NEVER if fault else self.since - PRIORITIES.index(self.priority) * RISES_EVERY

    @classmethod
    def parse(cls, text: str, value: object) -> "Ticket":
        """Read a stored record. A broken one is kept as it is, and waits for nothing until it is mended or removed."""
        fault = faults.of_ticket(value)
        return cls(value if isinstance(value, dict) and not fault else {}, text, fault)

    @classmethod
    def new(
        cls,
        identity: str,
        asked_hash: str,
        criteria: Criteria,
        now: datetime,
        wait: timedelta | None,
        priority: str,
        owner: str = "",
    ) -> "Ticket":
        """Make the ticket of a caller that begins to wait, for at most `wait`; it is charged to the owner."""
        kind = dataclasses.asdict(criteria) | {"ttl": format_duration(criteria.ttl) if criteria.ttl else ""}
        return cls(
            checked(
                {
                    "id": identity,
                    **({"hash": asked_hash} if asked_hash else {}),
                    **({"owner": owner} if owner else {}),
                    **({"priority": priority} if priority != NORMAL else {}),
                    "since": format_time(now),
                    **({"until": format_end(now + wait)} if wait else {}),
                    "ask": checked({key: value for key, value in kind.items() if value}),
                }
            )
        )

    def connected(self, here: datetime, keeps: timedelta) -> "Ticket":
        """Return the ticket of a caller who is there until `here`."""
        kept = format_duration(keeps) if keeps != BETWEEN_POLLS else None
        return Ticket(*self._edited({"here": format_end(here), "keeps": kept}))

    def described(self, place: int, now: datetime) -> dict[str, Any]:
        """Return what is told of it, where it is at that place in the queue."""
        if self.fault:
            return {"id": self.id, "fault": self.fault, "record": self.text}
        told = {key: value for key, value in self.fields.items() if key not in ("hash", "keeps", "here", "owner")}
        return {"place": place, **told, "priority": self.priority, "there": self.is_present(now)}

    @cached_property
    def criteria(self) -> Criteria:
        """What it waits for; what was written by hand and is no text means nothing."""
        stored = self.fields.get("ask")
        said = Fields(stored if isinstance(stored, dict) else {})
        texts = {
            name: said.get_text(name) for name in ("job", "build", "by", "purpose", "osimage", "region", "cluster")
        }
        labels = said.fields.get("labels")
        pairs = {key: str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}
        return Criteria(**texts, labels=pairs, ttl=said.get_duration("ttl"))

    @cached_property
    def charged_bytes(self) -> int:
        """Bytes that count for it of what the queue may take of the stored object: never less than a usual ticket."""
        return max(len(self.text.encode("utf-8", "surrogatepass")), _LEAST_CHARGE)

    @property
    def is_legacy_poll(self) -> bool:
        """Whether it is of a script that said nothing of waiting, and asks again and again."""
        return self.until is None

    def rank(self, now: datetime) -> int:
        """Return its priority as a number that grows while it waits."""
        return (now - self._begins_at) // RISES_EVERY

    def is_present(self, now: datetime) -> bool:
        """Whether its caller is connected, or expected back so soon that a cluster is kept."""
        return now <= self.reserved_until and self.connected_until <= now + _LONGEST_STAY

    def wait_is_over(self, now: datetime) -> bool:
        """Whether its wait is over."""
        return self.until is not None and self.until <= now


def reservation_for(interval: timedelta) -> timedelta:
    """Return for how long a cluster is kept for a script that asks again at this interval."""
    return min(max(interval * _SLACK, BETWEEN_POLLS), _LONGEST_INTERVAL + BETWEEN_POLLS)


def poll_ticket_id(criteria: Criteria) -> str:
    """Return the id of a ticket of whoever asks again and again in these words."""
    words = dataclasses.asdict(criteria) | {"ttl": str(criteria.ttl), "labels": sorted(criteria.labels.items())}
    return _POLLS + hashlib.sha256(dump(words).encode()).hexdigest()[:16]


def parse_queue(text: str, known: Iterable[Ticket] = ()) -> tuple[Ticket, ...]:
    """Read the stored tickets; ValueError if the text is no array. `known` were read before."""
    return record_lists.parse(text, known, Ticket.parse, lambda ticket: ticket.id)
