"""Record attempts to carry out a creation, so that one replica does it, and another takes over if that one fails."""

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

_LONGEST_PAUSE = 60  # seconds between two attempts


@dataclass(frozen=True)
class TriggeredJob:
    """The job that a provisioner started to build the cluster, and the links to its status and log."""

    job_name: str
    status_link: str = ""
    log_link: str = ""
    message: str = ""


@dataclass(frozen=True)
class FailedAttempt:
    """Why an attempt failed, and how long to pause before the next; `unknown` if it may have started a job anyway.

    `job` is the job that it started, if that has already ended.
    """

    kind: str
    reason: str
    pause: timedelta | None = None
    unknown: bool = False
    job: TriggeredJob | None = None


def claim(
    pool: Pool, now: datetime, identity: str, owner: str, duration: timedelta, builds: bool, takes_over: bool = True
) -> tuple[Pool, Answer]:
    """Claim a creation, so that no other replica carries it out; the answer's text is empty if it cannot be claimed.

    With `builds` the owner builds the cluster itself, so the creation is running from now on. Without `takes_over`, a
    creation that another replica has claimed before is not claimed.
    """
    creation = find_by_id(pool, identity)
    if creation is None or not creation.is_claimable(now) or (creation.claimed_by and not takes_over):
        return pool, Answer("")
    until = now + duration
    taken = creation.edited(
        claimBy=owner,
        claimUntil=format_end(until),
        nextTry=None,
        tries=min(creation.get_number("tries") + 1, LARGEST_NUMBER),
        state=RUNNING if builds else creation.state,
        maybeBegun=bool(creation.claimed_by) or creation.may_have_started,
        **_deadline_after(creation, until),
    )
    return replace(pool, taken), Answer(identity)


def _deadline_after(creation: Creation, until: datetime) -> dict[str, str]:
    """Return the edit that moves the deadline to `until` or later; no edit if the creation has no readable deadline."""
    return {"deadline": format_end(max(until, creation.deadline))} if creation.deadline else {}


def record_trigger(pool: Pool, now: datetime, identity: str, key: str, job: TriggeredJob) -> tuple[Pool, Answer]:
    """Record the job that builds the cluster, which was started under this idempotency key."""
    creation = find_by_id(pool, identity)
    if creation is None or creation.idempotency_key != key or (creation.job_name and not creation.job_is_guessed):
        return pool, Answer("")
    pool, creation = _correct_guesses(pool, now, creation, job.job_name)
    running = _with_job(creation, now, job)
    if creation.is_open:
        running = running.edited(**dict.fromkeys(ATTEMPT_FIELDS), state=RUNNING, reason=None)
    return replace(pool, running), Answer(identity)


def _correct_guesses(pool: Pool, now: datetime, creation: Creation, job_name: str) -> tuple[Pool, Creation]:
    """Correct earlier guesses now that this creation's job is known: clusters belong to the jobs that built them."""
    corrected = creation.edited(jobGuessed=None)
    if creation.job_name == job_name:
        return pool, corrected
    if creation.job_is_guessed:
        corrected = creation.reopened()
    pool = replace(pool, corrected.edited(jobName=job_name))
    other = next((c for c in pool.creations if c.job_is_guessed and c.job_name == job_name), None)
    if other and corrected.state != READY:  # a creation that `/addcluster` named keeps its cluster
        pool = mark_ready(replace(pool, other.reopened()), now, corrected.edited(jobName=job_name), other.cluster)
    if creation.job_is_guessed and (heir := oldest_without_job(pool, creation.purpose)):
        guess = heir.edited(jobName=creation.job_name, jobGuessed=True)
        pool = mark_ready(pool, now, guess, creation.cluster)
    found = find_by_id(pool, creation.id)
    assert found
    return pool, found


def _with_job(creation: Creation, now: datetime, job: TriggeredJob) -> Creation:
    return creation.edited(
        jobName=job.job_name,
        statusLink=job.status_link,
        logLink=job.log_link,
        message=job.message,
        triggeredAt=format_time(now),
        maybeBegun=None,
    )


def record_failure(pool: Pool, now: datetime, identity: str, owner: str, attempt: FailedAttempt) -> tuple[Pool, Answer]:
    """Record that the owner's attempt failed: the creation is retried with growing pauses, or fails if that is useless.

    If a job may have been started, the creation is retried until the outcome is known: a failed creation no longer
    counts towards limits, so its job would add one cluster too many.
    """
    creation = find_by_id(pool, identity)
    if creation is None or not creation.is_open or creation.claimed_by != owner:
        return pool, Answer("")
    began = creation.get_time("retriedAt") or creation.get_time("requestedAt") or now
    may_have_started = attempt.unknown or creation.may_have_started
    if attempt.job:
        creation = _with_job(creation, now, attempt.job).edited(jobEnded=format_time(now))
    if attempt.kind in (REFUSED, JOB):  # the outcome is known now
        failed = creation.failed(now, attempt.kind, attempt.reason).edited(maybeBegun=None)
        return replace(pool, failed), Answer(identity)
    if now - began > RETRY_LIMIT and not may_have_started:
        return replace(pool, creation.failed(now, attempt.kind, attempt.reason)), Answer(identity)
    pause = attempt.pause or timedelta(seconds=min(2 ** min(creation.get_number("tries"), 10), _LONGEST_PAUSE))
    waits = creation.edited(
        claimBy=None,
        claimUntil=None,
        nextTry=format_end(now + pause),
        reason=attempt.reason[:500],
        state=REQUESTED,
        maybeBegun=may_have_started,
    )
    return replace(pool, waits), Answer(identity)


def renew_claim(pool: Pool, now: datetime, identity: str, owner: str, duration: timedelta) -> tuple[Pool, Answer]:
    """Extend a claim; the answer's text is empty if another replica has it now."""
    creation = find_by_id(pool, identity)
    if creation is None or not creation.is_open or creation.claimed_by != owner:
        return pool, Answer("")
    until = now + duration
    renewed = creation.edited(claimUntil=format_end(until), **_deadline_after(creation, until))
    return replace(pool, renewed), Answer(identity)


def release_claim(pool: Pool, _now: datetime, identity: str, owner: str) -> tuple[Pool, Answer]:
    """Release a claim, so that another replica can continue."""
    creation = find_by_id(pool, identity)
    if creation is None or creation.claimed_by != owner:
        return pool, Answer("")
    return replace(pool, creation.edited(**dict.fromkeys(ATTEMPT_FIELDS))), Answer(identity)


def record_job_status(
    pool: Pool, now: datetime, identity: str, job: TriggeredJob, ended: bool, failure: str
) -> tuple[Pool, Answer]:
    """Record the job's status as reported by the provisioner; `failure` is why it will add no cluster."""
    creation = find_by_id(pool, identity)
    if creation is None or creation.job_name != job.job_name or creation.get_text("jobEnded"):
        return pool, Answer("")
    seen = creation.edited(
        statusLink=job.status_link or creation.status_link,
        logLink=job.log_link or creation.log_link,
        jobEnded=format_time(now) if ended else None,
    )
    if failure and seen.is_open:
        seen = seen.failed(now, JOB, failure)
    if seen.fields == creation.fields:
        return pool, Answer("")
    return replace(pool, seen), Answer(identity)
