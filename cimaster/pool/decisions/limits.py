"""How many clusters one job, and one person, may have at a time; the operator sets both limits."""

from cimaster.common.texts import brief, folded, printable, same, same_person
from cimaster.errors import LimitReached
from cimaster.pool.decisions import descriptions
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.pool import Pool
from cimaster.pool.records.ticket import Ticket

_RETRY = 15  # seconds, Retry-After: a cluster may be given back at any time
_NAMED = 10  # clusters that a refusal names


def taken_by(pool: Pool, job: str) -> list[Cluster]:
    """Return the clusters that builds of a job have."""
    return [cluster for cluster in pool.clusters if cluster.lease and same(cluster.lease.job, job)]


def held_by(pool: Pool, person: str) -> list[Cluster]:
    """Return the clusters that a person holds."""
    return [cluster for cluster in pool.clusters if cluster.hold and same_person(cluster.hold.by, person)]


class Quotas:
    """What the jobs and people in the queue may still get, in the order in which they are served."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._left: dict[tuple[bool, str], int] = {}

    def admit(self, ticket: Ticket) -> bool:
        """Count a cluster for the job or person of a ticket; False if it has as many as it may have."""
        criteria = ticket.criteria
        most = self._pool.rules.max_per_person if ticket.is_hold else self._pool.rules.max_per_job
        if not most:
            return True
        key = (True, folded(criteria.by)) if ticket.is_hold else (False, printable(criteria.job))
        if key not in self._left:
            has = held_by(self._pool, criteria.by) if ticket.is_hold else taken_by(self._pool, criteria.job)
            self._left[key] = most - len(has)
        self._left[key] -= 1
        return self._left[key] >= 0


def check_takes(pool: Pool, job: str) -> None:
    """Refuse a take by a job that has as many clusters as one job may have."""
    most = pool.rules.max_per_job
    if not most or len(taken := taken_by(pool, job)) < most:
        return
    had = ", ".join(f"{cluster.name} ({descriptions.occupant(cluster)})" for cluster in taken[:_NAMED])
    raise LimitReached(
        f"{brief(job)} has {len(taken)} clusters, and one job may have {most}: {had}; "
        "wait until one of its builds finishes",
        retry_after=_RETRY,
        clusters=[cluster.name for cluster in taken],
    )


def check_holds(pool: Pool, person: str) -> None:
    """Refuse a hold for a person that holds as many clusters as one person may hold."""
    most = pool.rules.max_per_person
    if not most or len(held := held_by(pool, person)) < most:
        return
    raise LimitReached(
        f"{brief(person)} holds {len(held)} clusters, and one person may hold {most}: "
        f"{', '.join(cluster.name for cluster in held[:_NAMED])}; release one first",
        retry_after=_RETRY,
        clusters=[cluster.name for cluster in held],
    )
