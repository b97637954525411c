"""Lend clusters to jobs: take, finish, renew."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.texts import same
from cimaster.common.times import format_duration, format_end, format_time
from cimaster.errors import ClusterNotVacant, LeaseOver, NoSuchClusterKind, NotCurrent, NoVacantCluster
from cimaster.pool.decisions import descriptions, limits, queue_order
from cimaster.pool.decisions.endings import Return, end_lease, give_back
from cimaster.pool.decisions.hold_times import check_duration
from cimaster.pool.decisions.idempotency import Request, earlier_take
from cimaster.pool.records.cluster import VACANT, Cluster
from cimaster.pool.records.criteria import Criteria
from cimaster.pool.records.lease import HOLD_FIELDS, Lease
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.ticket import Ticket

_DEFAULT_RETRY, _LONGEST_RETRY = timedelta(seconds=15), timedelta(seconds=60)
_REPEATED_WITHIN = timedelta(seconds=30)  # within which `curl --retry` repeats a finish whose answer was lost
_LEASE_ENDINGS = {"expired": "its time ran out", "undone": "the take was undone"}


def take(
    pool: Pool,
    now: datetime,
    criteria: Criteria,
    lease_id: str,
    request: Request | None = None,
    ticket: Ticket | None = None,
) -> tuple[Pool, Answer]:
    """Lend the longest vacant cluster that matches and is not reserved for another ticket.

    A repeated request gets the same cluster as long as its lease lasts. `ticket` is the caller's own, if it waits.
    """
    earlier = earlier_take(pool, request) if request else None
    if earlier and earlier.lease:
        return pool, Answer(earlier.name, earlier, earlier.lease.id, repeated=True)
    if criteria.hold_on_failure:
        check_duration(pool.rules, criteria.hold_on_failure, "hold_on_failure")
    cluster = choose(pool, criteria, now, ticket.id if ticket else "")
    limits.check_takes(pool, criteria.job)
    lent = cluster.edited(**dict.fromkeys(HOLD_FIELDS), **_lease_fields(criteria, lease_id, request, now))
    waited = now - ticket.since if ticket else timedelta()
    facts = {"waited": format_duration(waited)} if waited >= timedelta(seconds=1) else {}
    pool = pool.changed(cluster, lent, "taken", now, criteria.by, job=criteria.job, build=criteria.build, **facts)
    return pool, Answer(lent.name, lent, lease_id, waited=waited.total_seconds())


def _lease_fields(criteria: Criteria, lease_id: str, request: Request | None, now: datetime) -> dict[str, str | None]:
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
        "leaseOwner": (request and request.owner) or None,
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
    others = sum(ticket.id != ticket_id and not ticket.fault for ticket in pool.queue)
    queue = f"; {others} waiting in the queue" if others else ""
    return NoVacantCluster(
        f"no {criteria.describe()} is vacant: {descriptions.shortage(matching)}{queue}; try again later, or send wait",
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


@dataclass(frozen=True)
class FinishRequest:
    """The lease that a job wants to end, by its id, by job and build, or (unfenced) only by the cluster's name.

    `returned` is the result of its test, and whether the cluster is held afterwards.
    """

    cluster: str
    lease: str = ""
    job: str = ""
    build: str = ""
    returned: Return = Return()

    @property
    def fenced(self) -> bool:
        """Whether it identifies a lease, so that it cannot end another one."""
        return bool(self.lease or self.job or self.build)

    @property
    def identified_by(self) -> str:
        """Which of job and build identify the lease, as in `EndedLease.by`; empty if a lease id does."""
        return "" if self.lease else " ".join(name for name in ("job", "build") if getattr(self, name))

    def matches(self, lease_id: str, job: str, build: str) -> bool:
        """Say whether it means this lease."""
        if self.lease:
            return lease_id == self.lease
        return (not self.job or same(job, self.job)) and (not self.build or same(build, self.build))


def finish(
    pool: Pool, now: datetime, wanted: FinishRequest, bound_to: Sequence[Lease | None] = ()
) -> tuple[Pool, Answer]:
    """End the lease that the caller means; a late or repeated finish never ends the lease of another job.

    `bound_to` has the lease (or None) that an unfenced finish found when it was first decided: it ends no other.
    """
    cluster = pool.find(wanted.cluster)
    current = cluster.lease
    means_current = current is not None and wanted.matches(current.id, current.job, current.build)
    if wanted.fenced:
        means_current = means_current and not _repeats_recent_finish(cluster, wanted, now)
        _check_remembered(cluster, wanted, means_current)
    if current is None or not means_current or not all(_same(current, lease) for lease in bound_to):
        return pool, Answer(f"cluster {cluster.name} was already finished", cluster)
    pool = give_back(pool, cluster, "finished", now, wanted.returned, wanted.identified_by)
    finished = pool.find(cluster.name)
    note = "" if finished.state == VACANT else f"; it is now {descriptions.situation(finished)}"
    return pool, Answer(f"cluster {cluster.name} is finished{note}", finished, current.id)


def lease_of_unfenced_finish(cluster: Cluster) -> Lease | None:
    """Return the lease that an unfenced finish means: the current one, or else the last one that ended.

    The last one counts because the write that ended it may still fail, which makes it current again.
    """
    if cluster.lease or not cluster.ended_leases:
        return cluster.lease
    last = cluster.ended_leases[0]
    return Lease(last.id, last.job, last.build, "")


def _same(one: Lease, other: Lease | None) -> bool:
    if other is None or (one.id, one.job, one.build) != (other.id, other.job, other.build):
        return False
    return other.acquired is None or one.acquired == other.acquired


def _repeats_recent_finish(cluster: Cluster, wanted: FinishRequest, now: datetime) -> bool:
    """Say whether a finish by job and build repeats an equal one that was answered within the last 30 s.

    A job that is run again finishes later than that.
    """
    if not wanted.identified_by:
        return False
    return any(
        lease.how == "finished"
        and lease.by == wanted.identified_by
        and lease.at is not None
        and abs(now - lease.at) <= _REPEATED_WITHIN
        for lease in cluster.ended_leases
        if wanted.matches(lease.id, lease.job, lease.build)
    )


def _check_remembered(cluster: Cluster, wanted: FinishRequest, means_current: bool) -> None:
    """Refuse a finish that means neither the current lease nor a remembered finished one."""
    ended = [lease for lease in cluster.ended_leases if wanted.matches(lease.id, lease.job, lease.build)]
    if means_current or any(lease.how == "finished" for lease in ended):
        return
    situation = descriptions.situation(cluster)
    if ended:
        raise LeaseOver(
            f"this lease of {cluster.name} is over ({_LEASE_ENDINGS.get(ended[0].how, 'it has ended')}): "
            "take another cluster; "
            f"now: {situation}",
            cluster=cluster.name,
        )
    is_old_style = cluster.lease is None and not wanted.lease and not cluster.ended_leases
    if is_old_style and wanted.matches("", cluster.last_job, cluster.last_build):
        return
    raise NotCurrent(
        f"this is neither the current lease of {cluster.name} nor a recent one: check lease, job and build; "
        f"now: {situation}",
        cluster=cluster.name,
    )


def renew(pool: Pool, now: datetime, name: str, lease_id: str, ttl: timedelta | None) -> tuple[Pool, Answer]:
    """Move the end of a lease to `ttl` from now, by default its original duration."""
    cluster = pool.find(name)
    lease = cluster.lease
    if lease is None or not lease.id or lease.id != lease_id:
        _check_remembered(cluster, FinishRequest(name, lease_id), means_current=False)
        raise LeaseOver(f"this lease of {name} was finished: take another cluster", cluster=name)
    lasts = ttl or lease.ttl
    if lasts is None:
        return pool, Answer(f"the lease of {name} has no end; send ttl to give it one", cluster, lease.id)
    end = now + lasts
    renewed = cluster.edited(leaseExpires=format_end(end), leaseTtl=format_duration(lasts))
    pool = pool.changed(cluster, renewed, "renewed", now, lease.by, job=lease.job, build=lease.build)
    return pool, Answer(f"the lease of {name} ends at {format_end(end)}", renewed, lease.id)


def undo(pool: Pool, now: datetime, lease_id: str) -> tuple[Pool, Answer]:
    """Give back a cluster whose caller got OutcomeUnknown as its answer, and so does not know its name."""
    cluster = next((c for c in pool.clusters if c.lease and c.lease.id == lease_id), None)
    if cluster is None:
        return pool, Answer("nothing to undo")
    pool = end_lease(pool, cluster, "undone", "take undone", now, reason="its caller never learned the name")
    return pool, Answer("")
