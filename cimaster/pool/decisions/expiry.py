"""Expire leases, holds, tickets and creations. This is applied to the pool before every decision."""

import dataclasses
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from cimaster.common.times import format_time
from cimaster.pool.decisions.endings import end_hold, expire_lease
from cimaster.pool.decisions.hold_times import first_end
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.lease import HOLD_FIELDS, LEASE_FIELDS
from cimaster.pool.records.pool import Pool, earliest_end
from cimaster.pool.records.record import expiry_fault

_log = logging.getLogger(__name__)


def expire(pool: Pool, now: datetime) -> Pool:
    """Return the pool with everything expired that is due by now, and with the times that old-style records lack."""
    if pool.due is None or now < pool.due:
        return pool
    expired = pool
    for cluster in pool.clusters:
        if cluster.due and cluster.due <= now:
            expired = _expire_alone(expired, cluster, now)
    creations = tuple(creation.expired(now) for creation in pool.creations)
    queue = pool.queue.only(ticket for ticket in pool.queue if now < ticket.dropped_at)
    due = earliest_end(expired.clusters, creations, queue)
    return dataclasses.replace(expired, creations=creations, queue=queue, due=due)


def _expire_alone(pool: Pool, cluster: Cluster, now: datetime) -> Pool:
    """Expire one record; if that fails, only this record is marked as broken, and its stored text stays unchanged."""
    try:
        return _expire_record(pool, cluster, now)
    except Exception as error:
        _log.exception("cluster %s cannot be expired", cluster.name)
        broken = cluster.as_broken(expiry_fault(error))
        return pool.with_clusters(tuple(broken if c is cluster else c for c in pool.clusters), pool.history)


def _expire_record(pool: Pool, cluster: Cluster, now: datetime) -> Pool:
    tidy = _normalized(cluster, now, pool.rules.hold)
    if tidy is not cluster:
        pool = pool.with_record(cluster, tidy, pool.history)
    if tidy.lease and tidy.lease.expires and tidy.lease.expires <= now:
        pool = expire_lease(pool, tidy, now)
        tidy = pool.find(cluster.name)
    if tidy.hold and tidy.hold.expires and tidy.hold.expires <= now:
        by = tidy.hold.by
        pool = end_hold(pool, tidy, "hold ended", now, holder=by, reason="its time was over")
    return pool


def _normalized(cluster: Cluster, now: datetime, default_hold: timedelta) -> Cluster:
    """Return the record with the times that an old-style lease or hold lacks, and without stale fields."""
    edits: dict[str, Any] = {}
    if cluster.lease is None or not cluster.lease_is_current:
        edits |= _without(cluster, LEASE_FIELDS)
    if cluster.lease_is_bare:
        edits |= {"acquiredAt": format_time(now), "leaseJob": cluster.last_job, "leaseBuild": cluster.last_build}
    if cluster.hold is None:
        edits |= _without(cluster, HOLD_FIELDS)
    elif cluster.hold_is_bare:
        edits |= first_end(cluster, now, default_hold)
    return cluster.edited(**edits) if edits else cluster


def _without(cluster: Cluster, keys: Iterable[str]) -> dict[str, Any]:
    return {key: None for key in keys if key in cluster.fields}
