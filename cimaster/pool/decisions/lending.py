"""Lend clusters to jobs: which one, and to whom."""

from datetime import datetime, timedelta

from cimaster.common.times import format_duration, format_end, format_time
from cimaster.errors import ClusterNotVacant, NoSuchClusterKind, NoVacantCluster
from cimaster.pool.decisions import descriptions, expected_wait, limits, queue_order
from cimaster.pool.decisions.endings import end_lease
from cimaster.pool.decisions.hold_times import check_duration
from cimaster.pool.decisions.idempotency import Request, earlier_take
from cimaster.pool.records.cluster import VACANT, Cluster
from cimaster.pool.records.criteria import Criteria
from cimaster.pool.records.lease import HOLD_FIELDS
from cimaster.pool.records.owners import is_verified
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.ticket import Ticket

_DEFAULT_RETRY, _LONGEST_RETRY = timedelta(seconds=15), timedelta(seconds=60)


def take(
    pool: Pool,
    now: datetime,
    criteria: Criteria,
    lease_id: str,
    request: Request | None = None,
    ticket: Ticket | None = None,
    owner: str = "",
) -> tuple[Pool, Answer]:
    """Lend the longest vacant cluster that matches and is not reserved for another ticket.

    A repeated request gets the same cluster as long as its lease lasts. `ticket` is the caller's own, if it waits;
    `owner` is the caller.
    """
    earlier = earlier_take(pool, request) if request else None
    if earlier and earlier.lease:
        return pool, Answer(earlier.name, earlier, earlier.lease.id, repeated=True)
    if criteria.hold_on_failure:
        check_duration(pool.rules, criteria.hold_on_failure, "hold_on_failure")
    cluster = choose(pool, criteria, now, ticket.id if ticket else "")
    limits.check_takes(pool, criteria.job)
    lent = cluster.edited(**dict.fromkeys(HOLD_FIELDS), **_lease_fields(criteria, lease_id, request, now, owner))
    waited = now - ticket.since if ticket else timedelta()
    facts = {"waited": format_duration(waited)} if waited >= timedelta(seconds=1) else {}
    pool = pool.changed(cluster, lent, "taken", now, criteria.by, job=criteria.job, build=criteria.build, **facts)
    return pool, Answer(lent.name, lent, lease_id, waited=waited.total_seconds())


def _lease_fields(
    criteria: Criteria, lease_id: str, request: Request | None, now: datetime, owner: str
) -> dict[str, str | None]:
    if not is_verified(owner):
        owner = request.owner if request else ""
    return {
        "status": "testing",
        "lastJob": criteria.job,
        "lastBuild": criteria.build,
        "lastTriggerName": criteria.by,
        "leaseId": lease_id,
        "leaseJob": criteria.job,
        "leaseBuild": criteria.build,
        "requestId": request.id if request else None,
        "requestHash": request.hash if request else None,
        "leaseOwner": owner or None,
        "acquiredAt": format_time(now),
        "leaseExpires": format_end(now + criteria.ttl) if criteria.ttl else None,
        "leaseTtl": format_duration(criteria.ttl) if criteria.ttl else None,
        "holdOnFailure": format_duration(criteria.hold_on_failure) if criteria.hold_on_failure else None,
        "vacantSince": None,
    }


def choose(pool: Pool, criteria: Criteria, now: datetime, ticket_id: str = "") -> Cluster:
    """Return the longest vacant cluster that matches and is not reserved for a ticket other than `ticket_id`."""
    if criteria.cluster:
        named = pool.find(criteria.cluster)
        if criteria.matches(named) and named.state != VACANT:
            raise _not_vacant(named)
    reserved = queue_order.reservations(pool, now, (ticket_id,)) if pool.queue else {}
    free = (c for c in pool.vacant if c.name not in reserved or reserved[c.name].id == ticket_id)
    chosen = criteria.first_of(free)
    if chosen is None:
        raise _none_vacant(pool, criteria, now, ticket_id)
    return chosen


def _none_vacant(pool: Pool, criteria: Criteria, now: datetime, ticket_id: str) -> NoSuchClusterKind | NoVacantCluster:
    matching = [cluster for cluster in pool.clusters if criteria.matches(cluster)]
    if not matching:
        return NoSuchClusterKind(
            f"this pool has no {criteria.describe()}, in any state: request another kind; /clusters lists all"
        )
    shortage, queue = descriptions.shortage(matching), expected_wait.describe_queue(pool, now, criteria, ticket_id)
    return NoVacantCluster(
        f"no {criteria.describe()} is vacant: {shortage}{queue}; try again later, or wait in the queue",
        retry_after=_retry_after(matching, now),
        counts=_counts(matching),
    )


def _not_vacant(cluster: Cluster) -> ClusterNotVacant:
    return ClusterNotVacant(
        f"{cluster.name} is not vacant: {descriptions.situation(cluster)}; choose another cluster, or try again later",
        cluster=cluster.name,
        state=cluster.state,
        holder=descriptions.occupant(cluster),
    )


def _counts(clusters: list[Cluster]) -> dict[str, int]:
    states = [cluster.state for cluster in clusters]
    return {state: states.count(state) for state in sorted(set(states))}


def _retry_after(matching: list[Cluster], now: datetime) -> int:
    """Return the seconds until the next cluster expires, capped so that the caller notices one given back earlier."""
    until_free = [end - now for cluster in matching if (end := descriptions.free_at(cluster))]
    soonest = max(min(until_free, default=_DEFAULT_RETRY), timedelta(seconds=1))
    return int(min(soonest, _LONGEST_RETRY).total_seconds())


def undo(pool: Pool, now: datetime, lease_id: str) -> tuple[Pool, Answer]:
    """Give back a cluster whose caller got OutcomeUnknown as its answer, and so does not know its name."""
    cluster = next((c for c in pool.clusters if c.lease and c.lease.id == lease_id), None)
    if cluster is None:
        return pool, Answer("nothing to undo")
    pool = end_lease(pool, cluster, "undone", "take undone", now, reason="its caller never learned the name")
    return pool, Answer("")
