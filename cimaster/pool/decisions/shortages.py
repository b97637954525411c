"""Why is nothing vacant? For each purpose: what its clusters do, which one is free next, who waits, and what helps."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cimaster.pool.decisions import automatic_top_up, descriptions, queue_order
from cimaster.pool.records.cluster import BROKEN, CHECKING, DISABLED, HELD, OCCUPIED, VACANT, Cluster
from cimaster.pool.records.health import QUARANTINED
from cimaster.pool.records.pool import Pool

_SHOWN_STATES = (HELD, OCCUPIED, CHECKING, QUARANTINED, DISABLED)


@dataclass(frozen=True)
class Shortage:
    """A purpose of which no cluster can be lent now.

    `counts` has how many of its `total` clusters are in each other state; `reserved` are vacant, but kept for waiting
    callers. The next cluster is the first of which an end is known. `waiting` counts callers that one of its clusters
    would suit. `top_up` says how its policy stands; empty without one.
    """

    purpose: str
    total: int
    reserved: int
    counts: tuple[tuple[str, int], ...]
    next_cluster: str
    next_end: datetime | None
    next_user: str
    waiting: int
    top_up: str


def of(pool: Pool, clusters: Iterable[Cluster], now: datetime, *, tops_up: bool = True) -> list[Shortage]:
    """Return the purposes without a vacant cluster among these clusters, by name; without `tops_up`, no policy acts."""
    reserved = queue_order.reservations(pool, now, ()) if pool.queue else {}
    by_purpose: dict[str, list[Cluster]] = {}
    for cluster in clusters:
        if cluster.state != BROKEN:
            by_purpose.setdefault(cluster.purpose, []).append(cluster)
    return [
        _shortage(pool, purpose, found, now, tops_up)
        for purpose, found in sorted(by_purpose.items())
        if all(cluster.state != VACANT or cluster.name in reserved for cluster in found)
    ]


def _shortage(pool: Pool, purpose: str, clusters: list[Cluster], now: datetime, tops_up: bool) -> Shortage:
    states = [cluster.state for cluster in clusters]
    upcoming = [(end, cluster.name) for cluster in clusters if (end := descriptions.free_at(cluster))]
    end, name = min(upcoming, default=(None, ""))
    policy = next((each for each in pool.policies if each.purpose == purpose and not each.fault), None)
    top_up = automatic_top_up.describe(pool, policy, now, tops_up).text if policy else ""
    return Shortage(
        purpose=purpose,
        total=len(clusters),
        reserved=states.count(VACANT),
        counts=tuple((state, states.count(state)) for state in _SHOWN_STATES if state in states),
        next_cluster=name,
        next_end=end,
        next_user=descriptions.occupant(pool.find(name)) if name else "",
        waiting=_waiting(pool, clusters),
        top_up=top_up,
    )


def _waiting(pool: Pool, clusters: list[Cluster]) -> int:
    """Return how many callers wait for a cluster like these."""
    kinds = {kind for kind, criteria in pool.queue.kinds.items() if any(map(criteria.matches, clusters))}
    return sum(ticket.kind in kinds for ticket in pool.queue if not ticket.fault)
