"""A ticket: a caller's place in the queue, what it waits for, since when, and whether it is connected."""

import dataclasses
import hashlib
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from cimaster.common.texts import printable
from cimaster.common.times import format_duration, format_end, format_time
from cimaster.pool.records import faults, ticket_form
from cimaster.pool.records.criteria import Criteria
from cimaster.pool.records.field_types import checked
from cimaster.pool.records.hold_terms import HoldTerms
from cimaster.pool.records.json_values import dump
from cimaster.pool.records.lease import read_names
from cimaster.pool.records.owners import Caller, is_verified, of_name, scoped
from cimaster.pool.records.record import BROKEN, Fields, Record

PRIORITIES = ("low", "normal", "high")
NORMAL = "normal"
RISES_EVERY = timedelta(minutes=10)  # of waiting raise a ticket by one priority level
BETWEEN_POLLS = timedelta(seconds=5)  # for which a cluster is reserved between two requests of a waiting caller
FORGOTTEN_AFTER = timedelta(seconds=90)  # without a connection
_LONGEST_HOLD_WAIT = timedelta(days=14)  # of a hold ticket whose end cannot be read
_LONGEST_INTERVAL = timedelta(seconds=60)  # between two polls for which a cluster stays reserved
_SLACK = 1.25  # factor by which the next pause between two polls may be longer than the last
_LONGEST_CONNECTION = timedelta(days=1)  # from now; a later time was written by hand, and reserves nothing
LONG_AGO = datetime.fromtimestamp(0, UTC)  # in place of a time that cannot be read
NEVER = datetime.max.replace(tzinfo=UTC)
_POLLS = "poll-"


class Ticket(Record):
    """The record of a ticket; unknown fields are kept. `fields` has the long names, `text` is the stored form.

    A ticket with `is_hold` belongs to a person, who needs no connection and holds the cluster when their turn comes.
    The `id` of any other ticket includes its owner, because two callers may send the same request_id.

    Its caller is connected until `connected_until`; a cluster stays reserved for `reserved_for` after that.
    `until` is the end of the wait, None for a legacy script that polls. At `dropped_at` the ticket is dropped, unless
    its caller has come back.
    """

    TIMES = ("since", "until", "here", "keeps")

    def __init__(self, fields: Mapping[str, Any], text: str | None = None, fault: str = "") -> None:
        super().__init__(fields, text, fault)
        self.is_hold = not fault and "holdFor" in fields
        self.hash, self.owner = self.get_text("hash"), self.get_text("owner")
        self.id = f"{BROKEN}-{self.digest}" if fault else self._identity()
        self.since = self.get_time("since") or LONG_AGO
        self.until = self.get_time("until")
        self.connected_until = self.get_time("here") or LONG_AGO
        self.reserved_for = self.get_duration("keeps") or BETWEEN_POLLS
        self.priority = self.get_text("priority") if self.get_text("priority") in PRIORITIES else NORMAL
        # plain attributes, because every decision reads them in every ticket
        self.reserved_until = self.connected_until + self.reserved_for
        self.dropped_at = NEVER if fault else self._dropped_at()
        self.begins_at = NEVER if fault else self.since - PRIORITIES.index(self.priority) * RISES_EVERY

    def _identity(self) -> str:
        """Return the id within the process; a person has one hold ticket of each kind, also if others make it."""
        sent = self.get_text("id")
        return sent if self.is_hold else scoped(sent, self.owner)

    def _dropped_at(self) -> datetime:
        if self.is_hold:
            return self.until or self.since + _LONGEST_HOLD_WAIT
        return self.connected_until + FORGOTTEN_AFTER

    @classmethod
    def parse(cls, text: str, value: object) -> "Ticket":
        """Read a stored record. A broken one is kept unchanged, and ignored until it is corrected or removed."""
        fault = faults.of_ticket(value)
        return cls(ticket_form.expanded(value) if isinstance(value, dict) and not fault else {}, text, fault)

    @classmethod
    def new(
        cls,
        identity: str,
        request_hash: str,
        criteria: Criteria,
        now: datetime,
        wait: timedelta | None,
        priority: str,
        owner: str = "",
    ) -> "Ticket":
        """Make a ticket for a caller that waits for at most `wait`; it counts towards the owner's share.

        `identity` is the request_id as the caller sent it.
        """
        kind = _stored(criteria)
        return cls(
            checked(
                {
                    "id": identity,
                    **({"hash": request_hash} if request_hash else {}),
                    **({"owner": owner} if owner else {}),
                    **({"priority": priority} if priority != NORMAL else {}),
                    "since": format_time(now),
                    **({"until": format_end(now + wait)} if wait else {}),
                    "ask": checked({key: value for key, value in kind.items() if value}),
                }
            )
        )

    @classmethod
    def for_hold(
        cls,
        identity: str,
        criteria: Criteria,
        since: datetime,
        until: datetime,
        terms: HoldTerms,
        lasts: timedelta,
        owner: str,
    ) -> "Ticket":
        """Make a ticket for a person who will hold a cluster for `lasts` when their turn comes before `until`."""
        ticket = cls.new(identity, "", criteria, since, until - since, NORMAL, owner)
        stored = {
            "holdFor": format_duration(lasts),
            "desc": terms.desc,
            "holdWith": list(terms.shared_with),
            "madeBy": "" if terms.actor(criteria.by) == criteria.by else terms.made_by,
        }
        return cls({**ticket.fields, **checked({key: value for key, value in stored.items() if value})})

    def connected(self, until: datetime, reserved_for: timedelta) -> "Ticket":
        """Return the ticket with its caller connected until then."""
        keeps = format_duration(reserved_for) if reserved_for != BETWEEN_POLLS else None
        changed = {**self.fields, **checked({"here": format_end(until), "keeps": keeps})}
        connected = Ticket({name: value for name, value in changed.items() if value is not None})
        connected.criteria = self.criteria
        return connected

    def described(
        self, caller: Caller, place: int, now: datetime, expected_wait: timedelta | None = None
    ) -> dict[str, Any]:
        """Return the fields that a caller may see, with its place in the queue and its expected wait, if known."""
        if self.fault:
            return {"id": self.id, "fault": self.fault, **({"record": self.text} if caller.sees_all else {})}
        is_seen, is_owned = self.is_seen_by(caller), is_verified(self.owner)
        hidden = {"hash", "keeps", "here", *(() if is_seen else ("id",)), *(() if is_seen and is_owned else ("owner",))}
        shown = {key: value for key, value in self.fields.items() if key not in hidden}
        wait = {} if expected_wait is None else {"expectedWait": math.ceil(expected_wait.total_seconds())}
        return {"place": place, **wait, **shown, "priority": self.priority, "there": self.is_present(now)}

    def is_seen_by(self, caller: Caller) -> bool:
        """Say whether a caller sees its id: its owner does, and the person that it will hold a cluster for."""
        return caller.sees(self.owner) or (self.is_hold and caller.owner == of_name(self.criteria.by))

    @cached_property
    def criteria(self) -> Criteria:
        """What it waits for; values that are not texts were written by hand, and are ignored."""
        stored = self.fields.get("ask")
        fields = Fields(stored if isinstance(stored, dict) else {})
        texts = {
            name: fields.get_text(name) for name in ("job", "build", "by", "purpose", "osimage", "region", "cluster")
        }
        labels = fields.fields.get("labels")
        pairs = {key: str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}
        return Criteria(
            **texts, labels=pairs, ttl=fields.get_duration("ttl"), hold_on_failure=fields.get_duration("holdOnFailure")
        )

    @cached_property
    def kind(self) -> str:
        """The kind of cluster that it waits for: equal for tickets that match the same clusters."""
        return self.criteria.kind

    @cached_property
    def text(self) -> str:
        """The ticket's JSON as it is stored."""
        return dump(ticket_form.shortened(self.fields))

    @cached_property
    def size(self) -> int:
        """Its bytes in the stored object, including the separator."""
        return len(self.text.encode("utf-8", "surrogatepass")) + 2

    @property
    def is_legacy_poll(self) -> bool:
        """Whether it belongs to a legacy script, which polls without the parameter `wait`."""
        return self.until is None and not self.is_hold

    @property
    def hold_for(self) -> timedelta | None:
        """How long the person of a hold ticket will hold the cluster; None if that cannot be read."""
        return self.get_duration("holdFor")

    @property
    def desc(self) -> str:
        """What that hold is for."""
        return printable(self.get_text("desc"))

    @property
    def made_by(self) -> str:
        """The admin that made the ticket for the person; empty if they made it themselves."""
        return printable(self.get_text("madeBy"))

    @property
    def shared_with(self) -> tuple[str, ...]:
        """The people that may extend and release that hold too."""
        return read_names(self.fields.get("holdWith"))

    def rank(self, now: datetime) -> int:
        """Return its priority as a number, which grows while it waits."""
        return (now - self.begins_at) // RISES_EVERY

    def is_present(self, now: datetime) -> bool:
        """Whether its caller is connected, or was so recently that a cluster stays reserved for it."""
        if self.is_hold:
            return not self.wait_is_over(now)
        return now <= self.reserved_until and self.connected_until <= now + _LONGEST_CONNECTION

    def wait_is_over(self, now: datetime) -> bool:
        """Whether the wait that its caller requested is over."""
        return self.until is not None and self.until <= now


def _stored(criteria: Criteria) -> dict[str, Any]:
    """Return the criteria as a ticket stores them."""
    stored = dataclasses.asdict(criteria) | {"ttl": _duration_text(criteria.ttl)}
    del stored["hold_on_failure"]
    return stored | {"holdOnFailure": _duration_text(criteria.hold_on_failure)}


def _duration_text(duration: timedelta | None) -> str:
    return format_duration(duration) if duration else ""


def reservation_for(interval: timedelta) -> timedelta:
    """Return how long a cluster stays reserved for a script that polls at this interval."""
    return min(max(interval * _SLACK, BETWEEN_POLLS), _LONGEST_INTERVAL + BETWEEN_POLLS)


def poll_ticket_id(criteria: Criteria) -> str:
    """Return the ticket id of a legacy script that polls with these criteria."""
    values = dataclasses.asdict(criteria) | {"ttl": str(criteria.ttl), "labels": sorted(criteria.labels.items())}
    if values.pop("hold_on_failure"):  # left out otherwise, as in the ids that earlier versions made
        values["hold_on_failure"] = str(criteria.hold_on_failure)
    return _POLLS + hashlib.sha256(dump(values).encode()).hexdigest()[:16]
