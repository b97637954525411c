"""One requested cluster that does not exist yet: its user, its progress and its outcome."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from cimaster.common.texts import folded
from cimaster.common.times import format_time, roughly
from cimaster.pool.records import faults, record_lists
from cimaster.pool.records.field_types import checked
from cimaster.pool.records.json_edit import ObjectText
from cimaster.pool.records.owners import Caller
from cimaster.pool.records.record import BROKEN, Record, expiry_fault

REQUESTED, RUNNING, READY, FAILED = "requested", "running", "ready", "failed"
CREATION_STATES = (REQUESTED, RUNNING, READY, FAILED)
MAX_OPEN = 50  # open creations, for all purposes together
RETRY_LIMIT = timedelta(minutes=10)  # how long a provisioner that cannot be reached is tried
LATE_JOB_LIMIT = timedelta(hours=12)  # after the deadline, a job may still add its cluster for this long
REFUSED, UNREACHABLE, TIMEOUT, JOB, DEADLINE = "refused", "unreachable", "timeout", "job", "deadline"
"""The values of the field `failure`."""
_log = logging.getLogger(__name__)
ATTEMPT_FIELDS = ("claimBy", "claimUntil", "nextTry")


class Creation(Record):
    """The record of a creation: `requested` until a build starts, `running` until it is `ready` or `failed`.

    Unknown fields are kept, as everywhere in the object.
    """

    TIMES = ("requestedAt", "retriedAt", "deadline", "claimUntil", "nextTry", "readyAt", "failedAt", "jobEnded")

    def __init__(self, fields: Mapping[str, Any], text: str | ObjectText | None = None, fault: str = "") -> None:
        super().__init__(fields, text, fault)
        self.id, self.state = (
            (f"{BROKEN}-{self.digest}", BROKEN) if fault else (self.get_text("id"), self.get_text("state"))
        )
        self.purpose, self.user = self.get_text("purpose"), self.get_text("user")
        self.branch, self.job, self.owner = self.get_text("branch"), self.get_text("job"), self.get_text("owner")

    @classmethod
    def parse(cls, text: str, value: object) -> "Creation":
        """Read a stored record. A broken one is kept unchanged, and ignored until it is corrected or dismissed."""
        fault = faults.of_creation(value, CREATION_STATES)
        return cls(value if isinstance(value, dict) and not fault else {}, text, fault)

    @classmethod
    def new(cls, fields: Mapping[str, Any]) -> "Creation":
        """Make a new record."""
        return cls(checked(fields))

    def edited(self, **edits: object) -> "Creation":
        """Return the record with some fields changed; None, False and empty values remove a field."""
        return Creation(*self._edited({key: value or None for key, value in edits.items()}))

    def described(self, caller: Caller) -> dict[str, Any]:
        """Return the fields that a caller may see."""
        if self.fault:
            content = {"record": self.text} if caller.sees_all else {}
            return {"id": self.id, "state": self.state, "fault": self.fault, **content}
        hidden = ("claimBy", "claimUntil", "jobGuessed", "owner")
        return {key: value for key, value in self.fields.items() if key not in hidden}

    @property
    def job_name(self) -> str:
        """The job that builds the cluster; empty while none is known."""
        return self.get_text("jobName")

    @property
    def status_link(self) -> str:
        """The page with the job's status."""
        return self.get_text("statusLink")

    @property
    def log_link(self) -> str:
        """The page with the job's log."""
        return self.get_text("logLink")

    @property
    def cluster(self) -> str:
        """The name of the cluster that was created; empty until it is added."""
        return self.get_text("cluster")

    @property
    def failure(self) -> str:
        """The kind of failure."""
        return self.get_text("failure")

    @property
    def reason(self) -> str:
        """Why the creation, or its last attempt, failed."""
        return self.get_text("reason")

    @property
    def claimed_by(self) -> str:
        """The replica that claimed it last."""
        return self.get_text("claimBy")

    @property
    def terms(self) -> tuple[str, ...]:
        """The requested values, for comparison with another request."""
        return self.purpose, folded(self.user), self.branch, self.job

    @property
    def idempotency_key(self) -> str:
        """The key that makes a repeated start of its job harmless; it changes only when a new job is wanted."""
        return f"{self.id}-{self.get_number('round')}"

    @property
    def is_open(self) -> bool:
        """Whether it is requested or running: not ready and not failed."""
        return self.state in (REQUESTED, RUNNING)

    @property
    def job_runs(self) -> bool:
        """Whether a job was started for it and is not known to have ended."""
        return bool(self.job_name) and not self.get_text("jobEnded") and self.state != READY

    @property
    def built_here(self) -> bool:
        """Whether a replica builds it itself, without a job."""
        return self.state == RUNNING and not self.job_name

    @property
    def gives_up_at(self) -> datetime | None:
        """When it times out if nothing changes; sooner if the provisioner could not be reached at all."""
        began = self.get_time("retriedAt") or self.get_time("requestedAt")
        if (
            self.state == REQUESTED
            and self.get_number("tries")
            and not self.may_have_started
            and began
            and self.deadline
        ):
            return min(self.deadline, began + RETRY_LIMIT)
        return self.deadline

    @property
    def may_bring_cluster(self) -> bool:
        """Whether it may still add a cluster; it then counts towards the size of the pool."""
        return self.is_open or self.job_runs or (self.may_have_started and self.state != READY)

    @property
    def may_have_started(self) -> bool:
        """Whether the answer to a start was lost, so that a job may be running."""
        return self.get_flag("maybeBegun")

    @property
    def job_is_guessed(self) -> bool:
        """Whether its job is a guess: a cluster was added for a job that belongs to no known creation."""
        return self.get_flag("jobGuessed")

    def reopened(self) -> "Creation":
        """Return the record without its guessed job, requested again under the same key."""
        guess = ("jobGuessed", "jobName", "cluster", "readyAt")
        return self.edited(**dict.fromkeys(guess), state=REQUESTED, maybeBegun=True)

    @property
    def by_policy(self) -> bool:
        """Whether automatic top-up requested it, rather than a person."""
        return self.get_flag("policy")

    @property
    def is_shown(self) -> bool:
        """Whether it is listed, because it was not dismissed."""
        return not self.get_text("dismissedBy")

    @property
    def deadline(self) -> datetime | None:
        """When it times out; None once it is closed."""
        return self.get_time("deadline") if self.is_open else None

    @cached_property
    def due(self) -> datetime | None:
        """When it times out, or its job is no longer expected to add a cluster."""
        end = self.get_time("deadline")
        if self.is_open or end is None:
            return self.deadline
        return end + LATE_JOB_LIMIT if self.may_bring_cluster else None

    def is_claimed(self, now: datetime) -> bool:
        """Whether a replica has a claim on it now."""
        until = self.get_time("claimUntil")
        return until is not None and now < until

    def in_progress(self, now: datetime) -> bool:
        """Whether it is being carried out, so that it cannot be dismissed."""
        return self.state == RUNNING or (self.is_open and self.is_claimed(now))

    def next_try(self, now: datetime) -> datetime | None:
        """When it is tried again; None if no retry is scheduled."""
        moment = self.get_time("nextTry") if self.state == REQUESTED else None
        return moment if moment and moment > now else None

    def is_claimable(self, now: datetime) -> bool:
        """Whether a replica may claim it now."""
        later = self.get_time("nextTry")
        return self.is_open and not self.job_name and not self.is_claimed(now) and (later is None or later <= now)

    def failed(self, now: datetime, kind: str, reason: str) -> "Creation":
        """Return the record as failed."""
        return self.edited(
            **dict.fromkeys(ATTEMPT_FIELDS), state=FAILED, failure=kind, reason=reason[:500], failedAt=format_time(now)
        )

    def timed_out(self, now: datetime) -> "Creation":
        """Return the record as failed because its deadline passed."""
        began = self.get_time("retriedAt") or self.get_time("requestedAt") or now
        trouble = f" ({self.reason})" if self.reason else ""
        return self.failed(now, DEADLINE, f"no cluster was ready within {roughly(now - began)}{trouble}")

    def expired(self, now: datetime) -> "Creation":
        """Return the record at this time: timed out, or with its job counted as ended, if that is due."""
        if self.due is None or self.due > now:
            return self
        try:
            return self.timed_out(now) if self.is_open else self.edited(jobEnded=format_time(now), maybeBegun=None)
        except Exception as error:
            _log.exception("creation %s cannot be settled", self.id)
            return self.as_broken(expiry_fault(error))


def parse_creations(text: str, known: Iterable[Creation] = ()) -> tuple[Creation, ...]:
    """Read the stored creations, reusing the `known` ones; ValueError if the text is not an array."""
    return record_lists.parse(text, known, Creation.parse, lambda creation: creation.id)
