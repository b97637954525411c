"""Carry a creation out: what whoever does it writes down, so that it is done once and taken over if they fail."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.times import format_end, format_time
from cimaster.pool.decisions.creation_matching import mark_ready, oldest_without_job
from cimaster.pool.decisions.provisioning import find_by_id, replace
from cimaster.pool.records.creation import (
    ATTEMPT_FIELDS,
    JOB,
    READY,
    REFUSED,
    REQUESTED,
    RETRY_LIMIT,
    RUNNING,
    Creation,
)
from cimaster.pool.records.field_types import LARGEST_NUMBER
from cimaster.pool.records.pool import Answer, Pool

_LONGEST_PAUSE = 60  # seconds between two tries


@dataclass(frozen=True)
class TriggeredJob:
    """What a provisioner said when it began: the job that builds the cluster, and where to look at it."""

    job_name: str
    status_link: str = ""
    log_link: str = ""
    message: str = ""


@dataclass(frozen=True)
class FailedAttempt:
    """Why a try failed, and how long to wait before the next; `unknown` where it may have begun all the same.

    `job` is the job that was begun, where it has ended already.
    """

    kind: str
    reason: str
    pause: timedelta | None = None
    unknown: bool = False
    job: TriggeredJob | None = None


def claim(
    pool: Pool, now: datetime, identity: str, owner: str, lasts: timedelta, builds: bool, takes_over: bool = True
) -> tuple[Pool, Answer]:
    """Take a creation on, so that no other replica does; the answer's text is empty if there is nothing to take on.

    `builds` where the owner itself builds the cluster: then it is running from now on. `takes_over` where it may be one
    that somebody else has claimed, and whose time is over.
    """
    creation = find_by_id(pool, identity)
    if creation is None or not creation.is_claimable(now) or (creation.claimed_by and not takes_over):
        return pool, Answer("")
    until = now + lasts
    taken = creation.edited(
        claimBy=owner,
        claimUntil=format_end(until),
        nextTry=None,
        tries=min(creation.get_number("tries") + 1, LARGEST_NUMBER),
        state=RUNNING if builds else creation.state,
        maybeBegun=bool(creation.claimed_by) or creation.maybe_begun,
        **_at_least(creation, until),
    )
    return replace(pool, taken), Answer(identity)


def _at_least(creation: Creation, until: datetime) -> dict[str, str]:
    """Return the deadline of a creation that must not be given up before; one without a readable deadline never is."""
    return {"deadline": format_end(max(until, creation.deadline))} if creation.deadline else {}


def record_trigger(pool: Pool, now: datetime, identity: str, key: str, said: TriggeredJob) -> tuple[Pool, Answer]:
    """Write that a job builds it now, which was asked for under that key."""
    creation = find_by_id(pool, identity)
    if creation is None or creation.idempotency_key != key or (creation.job_name and not creation.job_is_guessed):
        return pool, Answer("")
    pool, creation = _heard(pool, now, creation, said.job_name)
    running = _with_job(creation, now, said)
    if creation.is_open:
        running = running.edited(**dict.fromkeys(ATTEMPT_FIELDS), state=RUNNING, reason=None)
    return replace(pool, running), Answer(identity)


def _heard(pool: Pool, now: datetime, creation: Creation, job_name: str) -> tuple[Pool, Creation]:
    """Put right what was guessed before it was heard whose job this is: clusters go with the jobs that built them."""
    right = creation.edited(jobGuessed=None)
    if creation.job_name == job_name:
        return pool, right
    if creation.job_is_guessed:
        right = creation.reopened()
    pool = replace(pool, right.edited(jobName=job_name))
    other = next((c for c in pool.creations if c.job_is_guessed and c.job_name == job_name), None)
    if other and right.state != READY:  # who named its cluster keeps it
        pool = mark_ready(replace(pool, other.reopened()), now, right.edited(jobName=job_name), other.cluster)
    if creation.job_is_guessed and (heir := oldest_without_job(pool, creation.purpose)):
        guess = heir.edited(jobName=creation.job_name, jobGuessed=True)
        pool = mark_ready(pool, now, guess, creation.cluster)
    found = find_by_id(pool, creation.id)
    assert found
    return pool, found


def _with_job(creation: Creation, now: datetime, said: TriggeredJob) -> Creation:
    return creation.edited(
        jobName=said.job_name,
        statusLink=said.status_link,
        logLink=said.log_link,
        message=said.message,
        triggeredAt=format_time(now),
        maybeBegun=None,
    )


def record_failure(pool: Pool, now: datetime, identity: str, owner: str, missed: FailedAttempt) -> tuple[Pool, Answer]:
    """Write that the owner's try failed: it is tried again with growing pauses, where that makes sense, or failed.

    What may have begun is asked for until somebody says what became of it: it would count for nothing otherwise, and
    bring a cluster too many.
    """
    creation = find_by_id(pool, identity)
    if creation is None or not creation.is_open or creation.claimed_by != owner:
        return pool, Answer("")
    began = creation.get_time("retriedAt") or creation.get_time("requestedAt") or now
    maybe_begun = missed.unknown or creation.maybe_begun
    if missed.job:
        creation = _with_job(creation, now, missed.job).edited(jobEnded=format_time(now))
    if missed.kind in (REFUSED, JOB):  # it is known now what became of it
        return replace(pool, creation.failed(now, missed.kind, missed.reason).edited(maybeBegun=None)), Answer(identity)
    if now - began > RETRY_LIMIT and not maybe_begun:
        return replace(pool, creation.failed(now, missed.kind, missed.reason)), Answer(identity)
    pause = missed.pause or timedelta(seconds=min(2 ** min(creation.get_number("tries"), 10), _LONGEST_PAUSE))
    waits = creation.edited(
        claimBy=None,
        claimUntil=None,
        nextTry=format_end(now + pause),
        reason=missed.reason[:500],
        state=REQUESTED,
        maybeBegun=maybe_begun,
    )
    return replace(pool, waits), Answer(identity)


def renew_claim(pool: Pool, now: datetime, identity: str, owner: str, lasts: timedelta) -> tuple[Pool, Answer]:
    """Keep a claim for longer; the answer's text is empty where somebody else has it now."""
    creation = find_by_id(pool, identity)
    if creation is None or not creation.is_open or creation.claimed_by != owner:
        return pool, Answer("")
    until = now + lasts
    return replace(pool, creation.edited(claimUntil=format_end(until), **_at_least(creation, until))), Answer(identity)


def release_claim(pool: Pool, _now: datetime, identity: str, owner: str) -> tuple[Pool, Answer]:
    """Give a claim back, for another replica to carry on."""
    creation = find_by_id(pool, identity)
    if creation is None or creation.claimed_by != owner:
        return pool, Answer("")
    return replace(pool, creation.edited(**dict.fromkeys(ATTEMPT_FIELDS))), Answer(identity)


def record_job_status(
    pool: Pool, now: datetime, identity: str, said: TriggeredJob, ended: bool, failure: str
) -> tuple[Pool, Answer]:
    """Write what the provisioner says of the job; `failure` is why no cluster will come of it."""
    creation = find_by_id(pool, identity)
    if creation is None or creation.job_name != said.job_name or creation.get_text("jobEnded"):
        return pool, Answer("")
    seen = creation.edited(
        statusLink=said.status_link or creation.status_link,
        logLink=said.log_link or creation.log_link,
        jobEnded=format_time(now) if ended else None,
    )
    if failure and seen.is_open:
        seen = seen.failed(now, JOB, failure)
    return (pool, Answer("")) if seen.fields == creation.fields else (replace(pool, seen), Answer(identity))
