"""Finish and renew leases; a late caller never ends the lease of the next job."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.texts import same
from cimaster.common.times import format_duration, format_end
from cimaster.errors import LeaseOver, NotCurrent
from cimaster.pool.decisions import descriptions
from cimaster.pool.decisions.endings import Return, give_back
from cimaster.pool.records.cluster import VACANT, Cluster
from cimaster.pool.records.ended_lease import EndedLease
from cimaster.pool.records.lease import Lease
from cimaster.pool.records.owners import UNVERIFIED, Caller, check_owner
from cimaster.pool.records.pool import Answer, Pool

_REPEATED_WITHIN = timedelta(seconds=30)  # within which `curl --retry` repeats a finish whose answer was lost
_LEASE_ENDINGS = {"expired": "its time ran out", "undone": "the take was undone"}


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

    def matches_ended(self, lease: EndedLease) -> bool:
        """Say whether it means this lease, which has ended."""
        if self.lease:
            return lease.has_id(self.lease)
        return (not self.job or lease.was_of_job(self.job)) and (not self.build or lease.was_of_build(self.build))


def finish(
    pool: Pool,
    now: datetime,
    wanted: FinishRequest,
    bound_to: Sequence[Lease | EndedLease | None] = (),
    caller: Caller = UNVERIFIED,
) -> tuple[Pool, Answer]:
    """End the lease that the caller means; a late or repeated finish never ends the lease of another job.

    A lease of another owner is ended only for an admin: a fenced finish is refused, an unfenced one changes nothing.
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
    if not wanted.fenced and not caller.may_change(current.owner):
        sentence = f"cluster {cluster.name} was already finished; its current lease belongs to another caller"
        return pool, Answer(sentence, cluster)
    check_owner(current.owner, caller, f"the current lease of {cluster.name}", "finish it")
    pool = give_back(pool, cluster, "finished", now, wanted.returned, wanted.identified_by)
    finished = pool.find(cluster.name)
    note = "" if finished.state == VACANT else f"; it is now {descriptions.situation(finished)}"
    return pool, Answer(f"cluster {cluster.name} is finished{note}", finished, current.id)


def lease_of_unfenced_finish(cluster: Cluster) -> Lease | EndedLease | None:
    """Return the lease that an unfenced finish means: the current one, or else the last one that ended.

    The last one counts because the write that ended it may still fail, which makes it current again.
    """
    if cluster.lease or not cluster.ended_leases:
        return cluster.lease
    return cluster.ended_leases[0]


def _same(one: Lease, other: Lease | EndedLease | None) -> bool:
    if isinstance(other, EndedLease):
        return other.has_id(one.id) and other.was_of_job(one.job) and other.was_of_build(one.build)
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
        if wanted.matches_ended(lease)
    )


def _check_remembered(cluster: Cluster, wanted: FinishRequest, means_current: bool) -> None:
    """Refuse a finish that means neither the current lease nor a remembered finished one."""
    ended = [lease for lease in cluster.ended_leases if wanted.matches_ended(lease)]
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


def renew(
    pool: Pool, now: datetime, name: str, lease_id: str, ttl: timedelta | None, caller: Caller = UNVERIFIED
) -> tuple[Pool, Answer]:
    """Move the end of a lease to `ttl` from now, by default its original duration."""
    cluster = pool.find(name)
    lease = cluster.lease
    if lease is None or not lease.id or lease.id != lease_id:
        _check_remembered(cluster, FinishRequest(name, lease_id), means_current=False)
        raise LeaseOver(f"this lease of {name} was finished: take another cluster", cluster=name)
    check_owner(lease.owner, caller, f"the lease of {name}", "renew it")
    lasts = ttl or lease.ttl
    if lasts is None:
        return pool, Answer(f"the lease of {name} has no end; send ttl to give it one", cluster, lease.id)
    end = now + lasts
    renewed = cluster.edited(leaseExpires=format_end(end), leaseTtl=format_duration(lasts))
    pool = pool.changed(cluster, renewed, "renewed", now, lease.by, job=lease.job, build=lease.build)
    return pool, Answer(f"the lease of {name} ends at {format_end(end)}", renewed, lease.id)
