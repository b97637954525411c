"""The order of the queue, and the vacant clusters that are reserved for its tickets."""

import dataclasses
from collections.abc import Collection
from datetime import datetime

from cimaster.pool.decisions import fair_shares
from cimaster.pool.records.pool import Pool
from cimaster.pool.records.ticket import Ticket

BUDGET = 100_000  # bytes of the stored object, all of which every write sends

Queue = tuple[Ticket, ...]


def find(pool: Pool, identity: str) -> Ticket | None:
    """Return a ticket by its id."""
    return next((ticket for ticket in pool.queue if ticket.id == identity), None)


def in_serving_order(pool: Pool, now: datetime) -> list[Ticket]:
    """Return the tickets in serving order: by rank, then by arrival."""
    return sorted(pool.queue, key=lambda ticket: -ticket.rank(now))


def position(pool: Pool, now: datetime, identity: str) -> int:
    """Return the position of a ticket; 1 is served next."""
    return [ticket.id for ticket in in_serving_order(pool, now)].index(identity) + 1


def reservations(pool: Pool, now: datetime, present: Collection[str] = ()) -> dict[str, Ticket]:
    """Return the ticket for which each vacant cluster is reserved, by the cluster's name.

    In serving order, each ticket whose caller is present gets the longest vacant cluster that it matches. The callers
    of the tickets with ids in `present` count as present.
    """
    reserved: dict[str, Ticket] = {}
    if not pool.vacant:
        return reserved
    for ticket in in_serving_order(pool, now):
        if ticket.id not in present and not ticket.is_present(now):
            continue
        cluster = ticket.criteria.first_of(c for c in pool.vacant if c.name not in reserved)
        if cluster:
            reserved[cluster.name] = ticket
        if len(reserved) == len(pool.vacant):
            break
    return reserved


def put(pool: Pool, ticket: Ticket) -> Pool:
    """Return the pool with a ticket replaced, or added at the end of the queue."""
    if find(pool, ticket.id):
        return _with(pool, tuple(ticket if known.id == ticket.id else known for known in pool.queue))
    return _with(pool, (*pool.queue, ticket))


def has_room(pool: Pool, ticket: Ticket) -> bool:
    """Say whether a new ticket fits into its owner's share of the queue, which is half of what others leave."""
    own = sum(known.charged_bytes for known in of_owner(pool, ticket.owner))
    others = sum(known.charged_bytes for known in pool.queue) - own
    return own + ticket.charged_bytes <= fair_shares.share_limit(BUDGET, others)


def of_owner(pool: Pool, owner: str) -> list[Ticket]:
    """Return the tickets of one owner."""
    return [ticket for ticket in pool.queue if ticket.owner == owner]


def remove(pool: Pool, identity: str) -> Pool:
    """Return the pool without a ticket."""
    return _with(pool, tuple(t for t in pool.queue if t.id != identity)) if find(pool, identity) else pool


def _with(pool: Pool, queue: Queue) -> Pool:
    due = min((end for end in (pool.due, *(ticket.dropped_at for ticket in queue)) if end), default=None)
    return dataclasses.replace(pool, queue=queue, due=due)
