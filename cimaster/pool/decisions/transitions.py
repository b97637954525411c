"""How a record changes when a lease or a hold starts or ends, or lacks its times."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from cimaster.common.times import format_duration, format_end, format_time
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.lease import HOLD_FIELDS, LEASE_FIELDS, EndedLease
from cimaster.pool.records.pool import Pool
from cimaster.pool.records.remembered_request import RememberedRequest, request_key

REMEMBERED_LEASES = 3


def normalized(cluster: Cluster, now: datetime, default_hold: timedelta) -> Cluster:
    """Return the record with the times that an old-style lease or hold lacks, and without stale fields."""
    edits: dict[str, Any] = {}
    if cluster.lease is None or not cluster.lease_is_current:
        edits |= _without(cluster, LEASE_FIELDS)
    if cluster.lease_is_bare:
        edits |= {"acquiredAt": format_time(now), "leaseJob": cluster.last_job, "leaseBuild": cluster.last_build}
    if cluster.hold is None:
        edits |= _without(cluster, HOLD_FIELDS)
    elif cluster.hold_is_bare:
        edits |= _hold_start(cluster, now, default_hold)
    return cluster.edited(**edits) if edits else cluster


def _without(cluster: Cluster, keys: Iterable[str]) -> dict[str, Any]:
    return {key: None for key in keys if key in cluster.fields}


def _hold_start(cluster: Cluster, now: datetime, default_hold: timedelta) -> dict[str, Any]:
    """Return the times of a hold that starts; its duration counts from when no job has the cluster.

    An end that is already stored is kept, and so is an unreadable value.
    """
    start = {} if cluster.unreadable_among("heldAt") else {"heldAt": format_time(now)}
    if not cluster.hold_has_no_end:
        return {} if cluster.has("heldAt") else start
    lasts = (cluster.hold and cluster.hold.lasts) or default_hold
    if cluster.lease:
        return {**start, "holdFor": format_duration(lasts)}
    return {**start, "holdExpires": format_end(now + lasts), "holdFor": None}


def with_hold(cluster: Cluster, by: str, desc: str, lasts: timedelta, now: datetime) -> Cluster:
    """Return the record held by a person; if a job has the cluster, the duration counts from when it finishes."""
    held = cluster.edited(
        hold=True, holdBy=by, holdDesc=desc or None, holdFor=format_duration(lasts), heldAt=None, holdExpires=None
    )
    return held.edited(**_hold_start(held, now, lasts))


def without_hold(cluster: Cluster, now: datetime) -> Cluster:
    """Return the record without its hold; unless a job has the cluster, it is vacant from now on."""
    edits: dict[str, Any] = {"hold": False, **dict.fromkeys(HOLD_FIELDS)}
    if cluster.lease is None:
        edits["vacantSince"] = format_time(now)
    return cluster.edited(**edits)


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
        return finished.edited(**_hold_start(finished, now, default_hold))
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
