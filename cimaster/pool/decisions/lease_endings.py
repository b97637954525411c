"""End leases: what the record, its history and the remembered requests say afterwards."""

from datetime import datetime, timedelta

from cimaster.common.times import format_time
from cimaster.pool.decisions.hold_times import first_end
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.lease import LEASE_FIELDS, EndedLease
from cimaster.pool.records.pool import Pool
from cimaster.pool.records.remembered_request import RememberedRequest, request_key

REMEMBERED_LEASES = 3


def without_lease(cluster: Cluster, how: str, now: datetime, default_hold: timedelta, by: str = "") -> Cluster:
    """Return the record with its lease ended and remembered, and with a hold started that waited for the job."""
    lease = cluster.lease
    if lease is None:
        return cluster
    ended = EndedLease(lease.id, lease.request, lease.job, lease.build, how, now, by)
    remembered = [each.written() for each in (ended, *cluster.ended_leases)][:REMEMBERED_LEASES]
    finished = cluster.edited(
        **dict.fromkeys(LEASE_FIELDS), status="finished", vacantSince=format_time(now), endedLeases=remembered
    )
    if finished.hold and finished.hold_has_no_end:
        return finished.edited(**first_end(finished, now, default_hold))
    return finished


def end_lease(pool: Pool, cluster: Cluster, how: str, event: str, now: datetime, by: str = "", **facts: str) -> Pool:
    """Return the pool with a cluster's lease ended, and its request remembered as over; `by` is as in EndedLease."""
    lease = cluster.lease
    assert lease is not None
    ended = without_lease(cluster, how, now, pool.rules.hold, by)
    pool = pool.changed(cluster, ended, event, now, lease.by, job=lease.job, build=lease.build, **facts)
    return remember_ended_request(pool, cluster, now)


def remember_ended_request(pool: Pool, cluster: Cluster, now: datetime) -> Pool:
    """Return the pool with the request_id of a cluster's lease, if it has one, remembered as over."""
    lease = cluster.lease
    if lease is None or not lease.request:
        return pool
    key = request_key(lease.request)
    request = RememberedRequest(key, lease.request_hash, "getvacant", format_time(now), cluster.name, owner=lease.owner)
    return pool.remember(request)
