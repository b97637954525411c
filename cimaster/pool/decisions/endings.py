"""End leases and holds: what the record, its history and the remembered requests say afterwards."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.texts import printable
from cimaster.common.times import format_time
from cimaster.pool.decisions import descriptions, health
from cimaster.pool.decisions.checking import needs_clean, with_clean_due
from cimaster.pool.decisions.hold_times import first_end, with_hold, without_hold
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.ended_lease import EndedLease
from cimaster.pool.records.health import BY_EXPIRY, ERROR, FAIL, PASS, JobResult
from cimaster.pool.records.lease import LEASE_FIELDS, LONGEST_PERSON, Lease
from cimaster.pool.records.pool import Pool
from cimaster.pool.records.purpose import QUARANTINE, VACANT
from cimaster.pool.records.remembered_request import RememberedRequest

REMEMBERED_LEASES = 3
_ENDED_WITH = {FAIL: "failed", ERROR: "ended with an error"}


def without_lease(cluster: Cluster, how: str, now: datetime, default_hold: timedelta, by: str = "") -> Cluster:
    """Return the record with its lease ended and remembered, and with a hold started that waited for the job."""
    lease = cluster.lease
    if lease is None:
        return cluster
    ended = (EndedLease.of(lease, how, now, by), *cluster.ended_leases)[:REMEMBERED_LEASES]
    edits = {**dict.fromkeys(LEASE_FIELDS), "status": "finished", "vacantSince": format_time(now)}
    finished = cluster.remembering(ended, cluster.results, edits)
    if finished.hold and finished.hold_has_no_end:
        return finished.edited(**first_end(finished, now, default_hold))
    return finished


def end_lease(pool: Pool, cluster: Cluster, how: str, event: str, now: datetime, by: str = "", **facts: str) -> Pool:
    """Return the pool with a cluster's lease ended, and its request remembered as over; `by` is as in EndedLease."""
    return _ended(pool, cluster, without_lease(cluster, how, now, pool.rules.hold, by), event, now, **facts)


@dataclass(frozen=True)
class Return:
    """How a job gives its cluster back: the result of its test, if it says so.

    `hold` is for how long the person that triggered the job holds the cluster from then on, unless the test passed.
    """

    result: str = ""
    hold: timedelta | None = None


def give_back(
    pool: Pool, cluster: Cluster, event: str, now: datetime, returned: Return, by: str = "", **facts: str
) -> Pool:
    """Return the pool with a cluster given back by its job: its result counts, and it is cleaned if that is set."""
    lease = cluster.lease
    assert lease is not None
    ended = _to_be_cleaned(pool, without_lease(cluster, "finished", now, pool.rules.hold, by))
    if returned.result:
        ended = health.with_result(ended, JobResult.of(returned.result, lease.job, lease.build, now))
        facts["result"] = returned.result
    pool = _ended(pool, cluster, ended, event, now, **facts)
    if returned.result != PASS:
        hold = returned.hold or (lease.hold_on_failure if returned.result else None)
        why = f"{descriptions.job_label(lease.job, lease.build)} {_ENDED_WITH.get(returned.result, 'ended')}"
        pool = _hold_for_trigger(pool, ended.name, lease, hold, why, now)
    return health.after_result(pool, pool.find(ended.name), now) if returned.result else pool


def expire_lease(pool: Pool, cluster: Cluster, now: datetime) -> Pool:
    """Return the pool with a lease ended because its time was over, and with what the purpose's rules say of that."""
    lease = cluster.lease
    assert lease is not None
    after_expiry = pool.rules_for(cluster.purpose).after_expiry
    ended = without_lease(cluster, "expired", now, pool.rules.hold)
    if after_expiry != VACANT:
        ended = _to_be_cleaned(pool, ended)
    pool = _ended(pool, cluster, ended, "lease ended", now, reason="its time was over")
    why = f"{descriptions.job_label(lease.job, lease.build)} ran out of time"
    pool = _hold_for_trigger(pool, ended.name, lease, lease.hold_on_failure, why, now)
    if after_expiry == QUARANTINE:
        pool = health.quarantine_automatically(pool, pool.find(ended.name), why, BY_EXPIRY, now)
    return pool


def _to_be_cleaned(pool: Pool, cluster: Cluster) -> Cluster:
    return with_clean_due(cluster, pool.next_commit) if needs_clean(pool, cluster) else cluster


def _hold_for_trigger(pool: Pool, name: str, lease: Lease, lasts: timedelta | None, why: str, now: datetime) -> Pool:
    """Return the pool with a returned cluster held for the person that triggered its job.

    It stays as it is if no hold was requested, another hold begins now, or the take named no person.
    """
    cluster, person = pool.find(name), printable(lease.by)[:LONGEST_PERSON].rstrip()
    if lasts is None or cluster.held or not person:
        return pool
    held = with_hold(cluster, person, why, min(lasts, pool.rules.max_hold), now)
    return pool.changed(cluster, held, "held", now, person, job=lease.job, build=lease.build, reason=why)


def end_hold(pool: Pool, cluster: Cluster, event: str, now: datetime, by: str = "", **facts: str) -> Pool:
    """Return the pool with a hold ended; unless a job has the cluster, it is cleaned if that is set."""
    released = without_hold(cluster, now)
    if released.lease is None:
        released = _to_be_cleaned(pool, released)
    return pool.changed(cluster, released, event, now, by, **facts)


def _ended(pool: Pool, cluster: Cluster, ended: Cluster, event: str, now: datetime, **facts: str) -> Pool:
    lease = cluster.lease
    assert lease is not None
    pool = pool.changed(cluster, ended, event, now, lease.by, job=lease.job, build=lease.build, **facts)
    return remember_ended_request(pool, cluster, now)


def remember_ended_request(pool: Pool, cluster: Cluster, now: datetime) -> Pool:
    """Return the pool with the request_id of a cluster's lease, if it has one, remembered as over."""
    lease = cluster.lease
    if lease is None or not lease.request:
        return pool
    return pool.remember(RememberedRequest.new(lease.request, lease.request_hash, "getvacant", now, owner=lease.owner))
