"""How many tickets the queue may hold: up to 5,000, as far as the stored object has room, in fair shares."""

from cimaster.errors import QueueFull
from cimaster.pool.decisions import fair_shares, idempotency
from cimaster.pool.decisions.inventory import RESERVE
from cimaster.pool.records.object_size import OBJECT_LIMIT, byte_count
from cimaster.pool.records.pool import Pool
from cimaster.pool.records.queue import Queue
from cimaster.pool.records.ticket import Ticket

MOST_TICKETS = 5_000
LEAST_BYTES = 100_000  # that the queue may always use; what else needs the room then drops history and ended leases
_SPARE = 40_000  # bytes, for history, and for records that are added or grow while the queue is full
_FULL_RETRY = 10  # seconds, Retry-After while the queue is full


def byte_limit(pool: Pool) -> int:
    """Return how many bytes the queue may use, so that everything else fits into the object, even when it grows."""
    clusters = sum(cluster.size + RESERVE for cluster in pool.clusters)
    others = sum(byte_count(record.text) for record in (*pool.creations, *pool.policies, *pool.purpose_rules))
    unknown = sum(map(byte_count, pool.other_keys.values()))
    return max(OBJECT_LIMIT - clusters - others - unknown - idempotency.BUDGET - _SPARE, LEAST_BYTES)


def has_room(pool: Pool, ticket: Ticket) -> bool:
    """Say whether a new ticket fits into its owner's share of the queue, which is half of what others leave."""
    own = of_owner(pool, ticket.owner)
    own_size, others_size = _size(own), _size(pool.queue) - _size(own)
    fits_by_count = len(own) < fair_shares.share_limit(MOST_TICKETS, len(pool.queue) - len(own))
    return fits_by_count and own_size + ticket.size <= fair_shares.share_limit(byte_limit(pool), others_size)


def of_owner(pool: Pool, owner: str) -> list[Ticket]:
    """Return the tickets of one owner."""
    return [ticket for ticket in pool.queue if ticket.owner == owner]


def _size(tickets: list[Ticket] | Queue) -> int:
    return sum(ticket.size for ticket in tickets)


def queue_full(pool: Pool, owner: str) -> QueueFull:
    """Return the refusal of a ticket that does not fit."""
    own, waiting = len(of_owner(pool, owner)), len(pool.queue)
    if not own:
        return QueueFull(f"the queue is full: {waiting} requests are waiting; try again later", retry_after=_FULL_RETRY)
    return QueueFull(
        f"the queue is full for this caller: {own} of the {waiting} waiting requests are its own; remove some of them "
        "with /leavequeue, or try again later",
        retry_after=_FULL_RETRY,
        waiting=waiting,
        own=own,
    )


def shortened(queue: Queue, excess: int) -> Queue:
    """Return the queue without its newest tickets, so that `excess` bytes are saved and LEAST_BYTES are left.

    Tickets of people stay: no caller would notice that such a ticket is gone.
    """
    size, dropped = _size(queue), set[Ticket]()
    for ticket in reversed([ticket for ticket in queue if not ticket.is_hold]):
        if excess <= 0 or size <= LEAST_BYTES:
            break
        dropped.add(ticket)
        excess -= ticket.size
        size -= ticket.size
    return queue.only(ticket for ticket in queue if ticket not in dropped)
