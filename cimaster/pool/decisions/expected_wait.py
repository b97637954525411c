"""How long a caller will probably wait for a cluster, from how often such clusters came back in the last hour.

The estimate is for people: it is left out where too little is known, and nothing depends on it.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from cimaster.common.times import about
from cimaster.pool.decisions import descriptions, queue_order
from cimaster.pool.records.cluster import CHECKING, OCCUPIED, VACANT, Cluster
from cimaster.pool.records.criteria import Criteria
from cimaster.pool.records.pool import Pool
from cimaster.pool.records.ticket import Ticket

_RECENT = timedelta(hours=1)
_FEWEST_RETURNS = 3  # in that time; fewer show no rate
_SHORTEST_SPAN = timedelta(minutes=1)  # for which returns were observed
_JOBS_RETURN = (VACANT, OCCUPIED, CHECKING)  # a held, disabled or quarantined cluster comes back by no job
_LONGEST = timedelta(days=2)  # an estimate beyond this says nothing


def expected_wait(pool: Pool, now: datetime, criteria: Criteria, before: Collection[Ticket]) -> timedelta | None:
    """Return how long a caller will wait behind the tickets `before` it; None if too little is known."""
    return Forecast(pool, now).wait(criteria, Counter(ticket.kind for ticket in before))


def describe_queue(pool: Pool, now: datetime, criteria: Criteria, ticket_id: str) -> str:
    """Describe the queue to a caller that got no cluster; one without a ticket learns which place it would have."""
    others = sum(ticket.id != ticket_id and not ticket.fault for ticket in pool.queue)
    waiting = f"; {others} waiting in the queue" if others else ""
    if ticket_id:
        return waiting
    before = queue_order.before(pool, now, None)
    wait = expected_wait(pool, now, criteria, before)
    estimate = f", {about(wait)}" if wait else ""
    return f"{waiting}; a caller that waits would be number {len(before) + 1}{estimate}"


def expected_waits(pool: Pool, now: datetime, wanted: Collection[str] | None = None) -> dict[str, timedelta]:
    """Return the expected wait of each ticket, or of those with the `wanted` ids, by its id, as far as it is known."""
    forecast, before = Forecast(pool, now), Counter[str]()
    waits: dict[str, timedelta] = {}
    for ticket in queue_order.in_serving_order(pool, now):
        is_wanted = not ticket.fault and (wanted is None or ticket.id in wanted)
        wait = forecast.wait(ticket.criteria, before) if is_wanted else None
        if wait is not None:
            waits[ticket.id] = wait
        before[ticket.kind] += 1
    return waits


class _Supply(NamedTuple):
    """Clusters that match: the mean time between two returns, the time until each known end, how many are vacant."""

    interval: timedelta | None
    ends: list[timedelta]
    vacant: int


class Forecast:
    """What a pool shows at one time about the clusters that will come back."""

    def __init__(self, pool: Pool, now: datetime) -> None:
        self._pool, self._now = pool, now
        self._returns = _recent_returns(pool, now)
        self._matching: dict[str, frozenset[str]] = {}
        self._supply: dict[str, _Supply] = {}

    def wait(self, criteria: Criteria, before: Counter[str]) -> timedelta | None:
        """Return the wait behind as many tickets of each kind as `before` says; None if too little is known."""
        supply = self._supply_of(criteria)
        rivals = sum(count for kind, count in before.items() if count and self._compete(criteria, kind))
        returns_needed = max(rivals + 1 - supply.vacant, 1)
        by_rate = supply.interval * returns_needed if supply.interval else None
        by_known_ends = supply.ends[returns_needed - 1] if returns_needed <= len(supply.ends) else None
        wait = min((each for each in (by_rate, by_known_ends) if each is not None), default=None)
        return wait if wait is not None and wait <= _LONGEST else None

    def _compete(self, criteria: Criteria, kind: str) -> bool:
        """Say whether tickets of this kind want some of the clusters that the criteria match."""
        if kind == criteria.kind:
            return True
        rival = self._pool.queue.kinds.get(kind)
        return rival is not None and not self._names(criteria).isdisjoint(self._names(rival))

    def _names(self, criteria: Criteria) -> frozenset[str]:
        """Return the names of the clusters that match."""
        if criteria.kind not in self._matching:
            names = frozenset(cluster.name for cluster in self._pool.clusters if criteria.matches(cluster))
            self._matching[criteria.kind] = names
        return self._matching[criteria.kind]

    def _supply_of(self, criteria: Criteria) -> _Supply:
        if criteria.kind not in self._supply:
            matching = [self._pool.find(name) for name in sorted(self._names(criteria))]
            ends = sorted(end - self._now for cluster in matching if (end := descriptions.free_at(cluster)))
            vacant = sum(cluster.state == VACANT for cluster in matching)
            with_jobs = [cluster for cluster in matching if cluster.state in _JOBS_RETURN and not cluster.held]
            self._supply[criteria.kind] = _Supply(self._interval(with_jobs), ends, vacant)
        return self._supply[criteria.kind]

    def _interval(self, matching: Iterable[Cluster]) -> timedelta | None:
        """Return the mean time between two returns of these clusters; None if there were too few."""
        seen = [self._returns[cluster.name] for cluster in matching if cluster.name in self._returns]
        if sum(count for count, _ in seen) < _FEWEST_RETURNS:
            return None
        per_second = sum(count / span.total_seconds() for count, span in seen)
        return timedelta(seconds=1 / per_second)


def _recent_returns(pool: Pool, now: datetime) -> dict[str, tuple[int, timedelta]]:
    """Return how often each cluster became vacant in the last hour, and for how long its history was observed.

    A replica knows the changes since it started, which may cover less than an hour.
    """
    counts, first_seen = Counter[str](), dict[str, datetime]()
    for entry in (*pool.recent, *pool.history):
        at = entry.at
        if at is None:
            continue
        first_seen.setdefault(entry.cluster, max(at, now - _RECENT))
        came_back = entry.get_text("to") == VACANT and entry.get_text("from") not in ("", VACANT)
        counts[entry.cluster] += came_back and now - at <= _RECENT
    return {name: (count, max(now - first_seen[name], _SHORTEST_SPAN)) for name, count in counts.items() if count}
