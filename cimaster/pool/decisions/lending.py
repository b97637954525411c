"""Lend clusters to jobs: take, finish, renew."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Never

from cimaster.common.texts import same
from cimaster.common.times import format_duration, format_end, format_time
from cimaster.errors import ClusterNotVacant, LeaseOver, NoSuchClusterKind, NotCurrent, NoVacantCluster
from cimaster.pool.decisions import descriptions, queue_order
from cimaster.pool.decisions.idempotency import Request, earlier_take
from cimaster.pool.decisions.transitions import end_lease
from cimaster.pool.records.cluster import VACANT, Cluster
from cimaster.pool.records.criteria import Criteria
from cimaster.pool.records.lease import HOLD_FIELDS, Lease
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.ticket import Ticket

_ASK_AGAIN = timedelta(seconds=15), timedelta(seconds=60)
_REPEATED_WITHIN = timedelta(seconds=30)  # of its answer a finish by job and build comes again: curl --retry does that


def take(
    pool: Pool,
    now: datetime,
    criteria: Criteria,
    lease_id: str,
    request: Request | None = None,
    ticket: Ticket | None = None,
) -> tuple[Pool, Answer]:
    """Lend the longest vacant cluster that matches and is kept for nobody else who waits.

    The same request gets the same one while it has it. `ticket` is the caller's own, if it waits.
    """
    earlier = earlier_take(pool, request) if request else None
    if earlier and earlier.lease:
        return pool, Answer(earlier.name, earlier, earlier.lease.id, repeated=True)
    cluster = choose(pool, criteria, now, ticket.id if ticket else "")
    waited = (now - ticket.since).total_seconds() if ticket else 0.0
    lent = cluster.edited(**dict.fromkeys(HOLD_FIELDS), **_lease_fields(criteria, lease_id, request, now))
    waits = {"waited": format_duration(timedelta(seconds=waited))} if waited >= 1 else {}
    pool = pool.changed(cluster, lent, "taken", now, criteria.by, job=criteria.job, build=criteria.build, **waits)
    return pool, Answer(lent.name, lent, lease_id, waited=waited)


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
        "vacantSince": None,
    }


def choose(pool: Pool, criteria: Criteria, now: datetime, ticket: str = "") -> Cluster:
    """Return the vacant cluster that has waited longest, of those that match and are kept for nobody else."""
    if criteria.cluster:
        named = pool.find(criteria.cluster)
        if criteria.matches(named) and named.state != VACANT:
            raise _not_vacant(named)
    kept = queue_order.reservations(pool, now, (ticket,)) if pool.queue else {}
    free = (c for c in pool.vacant if criteria.matches(c) and (c.name not in kept or kept[c.name].id == ticket))
    return next(free, None) or _none(
        pool, criteria, now, sum(other.id != ticket and not other.fault for other in pool.queue)
    )


def _none(pool: Pool, criteria: Criteria, now: datetime, waiting: int) -> Never:
    """Say why there is none."""
    matching = [cluster for cluster in pool.clusters if criteria.matches(cluster)]
    if not matching:
        raise NoSuchClusterKind(
            f"there is no {criteria.describe()} in this pool, whatever its state; /clusters lists what is there"
        )
    others = f"; {waiting} wait in the queue" if waiting else ""
    raise NoVacantCluster(
        f"no {criteria.describe()} is vacant: {descriptions.shortage(matching)}{others}",
        retry_after=_ask_again(matching, now),
        counts=_counts(matching),
    )


def _not_vacant(cluster: Cluster) -> ClusterNotVacant:
    return ClusterNotVacant(
        f"{cluster.name} is not vacant: {descriptions.situation(cluster)}",
        cluster=cluster.name,
        state=cluster.state,
        holder=descriptions.occupant(cluster),
    )


def _counts(clusters: list[Cluster]) -> dict[str, int]:
    states = [cluster.state for cluster in clusters]
    return {state: states.count(state) for state in sorted(set(states))}


def _ask_again(matching: list[Cluster], now: datetime) -> int:
    """Return seconds: when the next one comes free, but soon enough to notice one that is given back early."""
    shortest, longest = _ASK_AGAIN
    coming = [end - now for cluster in matching if (end := descriptions.free_at(cluster))]
    return int(min(max(min(coming, default=shortest), timedelta(seconds=1)), longest).total_seconds())


@dataclass(frozen=True)
class FinishRequest:
    """What a job says to give a cluster back: its lease, or its job and build, or (as of old) only the name."""

    cluster: str
    lease: str = ""
    job: str = ""
    build: str = ""

    @property
    def fenced(self) -> bool:
        """Whether it says which lease it means."""
        return bool(self.lease or self.job or self.build)

    @property
    def by(self) -> str:
        """Which of job and build it says, for an EndedLease; empty where it says a lease."""
        return "" if self.lease else " ".join(name for name in ("job", "build") if getattr(self, name))

    def names(self, lease_id: str, job: str, build: str) -> bool:
        """Say whether it means that lease."""
        if self.lease:
            return lease_id == self.lease
        return (not self.job or same(job, self.job)) and (not self.build or same(build, self.build))


def finish(
    pool: Pool, now: datetime, said: FinishRequest, bound_to: Sequence[Lease | None] = ()
) -> tuple[Pool, Answer]:
    """End the lease that the caller means; a late or repeated finish never ends somebody else's.

    `bound_to` has the lease (or None) that an unfenced finish saw when it was first decided: no other is its business.
    """
    cluster = pool.find(said.cluster)
    current = cluster.lease
    meant = current is not None and said.names(current.id, current.job, current.build)
    if said.fenced:
        meant = meant and not _repeats(cluster, said, now)
        _check_remembered(cluster, said, meant)
    if current is None or not meant or not all(_same(current, lease) for lease in bound_to):
        return pool, Answer(f"cluster {cluster.name} was already finished", cluster)
    pool = end_lease(pool, cluster, "finished", "finished", now, said.by)
    return pool, Answer(_finished(pool.find(cluster.name)), pool.find(cluster.name), current.id)


def lease_of_unfenced_finish(cluster: Cluster) -> Lease | None:
    """Return the lease that a finish means which says only the name: the current one, or the last one that ended.

    The last one too, because what ended it may be undecided still, and then it is the current one again.
    """
    if cluster.lease or not cluster.ended_leases:
        return cluster.lease
    last = cluster.ended_leases[0]
    return Lease(last.id, last.job, last.build, "")


def _same(one: Lease, other: Lease | None) -> bool:
    if other is None or (one.id, one.job, one.build) != (other.id, other.job, other.build):
        return False
    return other.acquired is None or one.acquired == other.acquired


def _finished(cluster: Cluster) -> str:
    rest = "" if cluster.state == VACANT else f"; it is now {descriptions.situation(cluster)}"
    return f"cluster {cluster.name} is finished{rest}"


def _repeats(cluster: Cluster, said: FinishRequest, now: datetime) -> bool:
    """Say whether a finish by job and build repeats one in the same words that was just answered.

    The finish of a job that is run again comes later. A lease that ended otherwise was finished by no such request.
    """
    return bool(said.by) and any(
        lease.how == "finished"
        and lease.by == said.by
        and lease.at is not None
        and abs(now - lease.at) <= _REPEATED_WITHIN
        for lease in cluster.ended_leases
        if said.names(lease.id, lease.job, lease.build)
    )


def _check_remembered(cluster: Cluster, said: FinishRequest, meant: bool) -> None:
    """Refuse what is not this caller's to finish; return where it is, or where it was finished already."""
    ended = [lease for lease in cluster.ended_leases if said.names(lease.id, lease.job, lease.build)]
    if meant or any(lease.how == "finished" for lease in ended):
        return
    if ended:
        how = _LEASE_ENDINGS[ended[0].how]
        raise LeaseOver(
            f"that lease of {cluster.name} is over ({how}); now: {descriptions.situation(cluster)}",
            cluster=cluster.name,
        )
    old_style = cluster.lease is None and not said.lease and not cluster.ended_leases
    if old_style and said.names("", cluster.last_job, cluster.last_build):
        return
    raise NotCurrent(
        f"that is neither the current lease of {cluster.name} nor one of its last; "
        f"now: {descriptions.situation(cluster)}",
        cluster=cluster.name,
    )


_LEASE_ENDINGS = {"expired": "its time ran out", "taken": "the cluster was taken away", "undone": "the take was undone"}


def renew(pool: Pool, now: datetime, name: str, lease_id: str, ttl: timedelta | None) -> tuple[Pool, Answer]:
    """Move the end of a lease to `ttl` from now, by default the length that it was taken for."""
    cluster = pool.find(name)
    lease = cluster.lease
    if lease is None or not lease.id or lease.id != lease_id:
        _check_remembered(cluster, FinishRequest(name, lease_id), meant=False)
        raise LeaseOver(f"that lease of {name} was finished; take another cluster", cluster=name)
    lasts = ttl or lease.ttl
    if lasts is None:
        return pool, Answer(f"the lease of {name} has no end; send ttl to give it one", cluster, lease.id)
    end = now + lasts
    renewed = cluster.edited(leaseExpires=format_end(end), leaseTtl=format_duration(lasts))
    pool = pool.changed(cluster, renewed, "renewed", now, lease.by, job=lease.job, build=lease.build)
    return pool, Answer(f"the lease of {name} ends at {format_end(end)}", renewed, lease.id)


def undo(pool: Pool, now: datetime, lease_id: str) -> tuple[Pool, Answer]:
    """Give back a cluster whose taker was told that the outcome is unknown, and so does not know its name."""
    cluster = next((c for c in pool.clusters if c.lease and c.lease.id == lease_id), None)
    if cluster is None:
        return pool, Answer("nothing to undo")
    return end_lease(pool, cluster, "undone", "take undone", now, reason="its caller never learnt the name"), Answer("")
