"""The order of the queue, and the vacant clusters that are reserved for its tickets."""

import dataclasses
from collections.abc import Collection, Iterable
from datetime import datetime

from cimaster.pool.decisions.limits import Quotas
from cimaster.pool.records.pool import Pool
from cimaster.pool.records.ticket import NORMAL, PRIORITIES, RISES_EVERY, Ticket


def find(pool: Pool, identity: str) -> Ticket | None:
    """Return a ticket by its id."""
    return pool.queue.by_id.get(identity)


def in_serving_order(pool: Pool, now: datetime) -> list[Ticket]:
    """Return the tickets in serving order: by rank, then by arrival."""
    return _ranked(pool.queue, now)


def _ranked(tickets: Iterable[Ticket], now: datetime) -> list[Ticket]:
    return sorted(tickets, key=lambda ticket: (now - ticket.begins_at) // RISES_EVERY, reverse=True)


def before(pool: Pool, now: datetime, ticket: Ticket | None) -> list[Ticket]:
    """Return the tickets that precede a ticket in the queue, or a new one of normal priority, in order of arrival."""
    rank = ticket.rank(now) if ticket else PRIORITIES.index(NORMAL)
    arrival = pool.queue.index(ticket) if ticket else len(pool.queue)
    same_rank_since = now - rank * RISES_EVERY
    higher_rank_since = same_rank_since - RISES_EVERY
    earlier = [other for other in pool.queue[:arrival] if other.begins_at <= same_rank_since]
    return earlier + [other for other in pool.queue[arrival:] if other.begins_at <= higher_rank_since]


def position(pool: Pool, now: datetime, ticket: Ticket) -> int:
    """Return the position of a ticket of the queue; 1 is served next."""
    return len(before(pool, now, ticket)) + 1


def next_position(pool: Pool, now: datetime) -> int:
    """Return the position that a new ticket of normal priority gets."""
    return len(before(pool, now, None)) + 1


def reservations(pool: Pool, now: datetime, present: Collection[str] = ()) -> dict[str, Ticket]:
    """Return the ticket for which each vacant cluster is reserved, by the cluster's name.

    In serving order, each ticket whose caller is present gets the longest vacant cluster that it matches. The callers
    of the tickets with ids in `present` count as present. A job or person that has as many clusters as it may have gets
    none.
    """
    matching = {
        kind: [cluster for cluster in pool.vacant if criteria.matches(cluster)]
        for kind, criteria in (pool.queue.kinds.items() if pool.vacant else ())
    }
    remaining = {cluster.name for clusters in matching.values() for cluster in clusters}
    if not remaining:
        return {}
    reserved: dict[str, Ticket] = {}
    quotas = Quotas(pool)
    for ticket in _ranked((ticket for ticket in pool.queue if matching[ticket.kind]), now):
        cluster = ticket.criteria.first_of(c for c in matching[ticket.kind] if c.name in remaining)
        if cluster and (ticket.id in present or ticket.is_present(now)) and quotas.admit(ticket):
            reserved[cluster.name] = ticket
            remaining.remove(cluster.name)
            if not remaining:
                break
    return reserved


def put(pool: Pool, ticket: Ticket) -> Pool:
    """Return the pool with a ticket replaced, or added at the end of the queue."""
    due = min(pool.due, ticket.dropped_at) if pool.due else ticket.dropped_at
    return dataclasses.replace(pool, queue=pool.queue.with_ticket(ticket), due=due)


def remove(pool: Pool, identity: str) -> Pool:
    """Return the pool without a ticket."""
    if find(pool, identity) is None:
        return pool
    return dataclasses.replace(pool, queue=pool.queue.without(identity))
