"""Wait for a cluster: take one or get a place in the queue, and leave the queue."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.times import about, format_end, format_time
from cimaster.errors import (
    ClusterNotVacant,
    LimitReached,
    NoSuchClusterKind,
    NoVacantCluster,
    Queued,
    UnknownCluster,
)
from cimaster.pool.decisions import queue_order, queue_room
from cimaster.pool.decisions.expected_wait import expected_wait
from cimaster.pool.decisions.idempotency import WAIT_OVER, Request, earlier_take, id_reused
from cimaster.pool.decisions.lending import take
from cimaster.pool.records.criteria import Criteria
from cimaster.pool.records.owners import scoped
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.remembered_request import RememberedRequest
from cimaster.pool.records.ticket import BETWEEN_POLLS, NORMAL, Ticket, poll_ticket_id, reservation_for

_WORTH_A_WRITE = timedelta(seconds=2)  # by which a connection must outlast the stored time before that is rewritten
_BETWEEN_REQUESTS = timedelta(seconds=1)  # of a caller that is kept connected
_SHORTEST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=2), timedelta(seconds=20)  # of callers that are not kept connected
_PAUSE_PER_TICKET = timedelta(milliseconds=50)  # ahead of such a caller
_LATE_BY = timedelta(seconds=1)  # that such a caller may be
_JUST_SERVED = timedelta(minutes=1)  # after a take, within which leaving the queue gives the cluster back


@dataclass(frozen=True)
class WaitTerms:
    """How a caller waits: for at most `wait`, connected for `connected_for` from now on.

    With `returns`, it is not kept connected, but comes back after the pause that its answer names. Without `wait`, the
    caller is a legacy script that polls. A cluster stays reserved for `reserved_for` between two of its requests.
    """

    wait: timedelta | None = None
    priority: str = NORMAL
    connected_for: timedelta = timedelta()
    returns: bool = False
    reserved_for: timedelta = BETWEEN_POLLS
    owner: str = ""


def take_or_wait(
    pool: Pool, now: datetime, criteria: Criteria, lease_id: str, terms: WaitTerms, request: Request | None = None
) -> tuple[Pool, Answer]:
    """Lend a cluster to a caller whose turn it is, or keep its place in the queue.

    The answer to a caller that must wait carries a refusal: Queued, or for a legacy script the reason why no cluster
    is vacant.
    """
    sent_id = request.id if terms.wait and request else poll_ticket_id(criteria)
    ticket_id = scoped(sent_id, terms.owner)
    earlier = earlier_take(pool, request) if request else None
    if earlier and earlier.lease:
        return queue_order.remove(pool, ticket_id), Answer(earlier.name, earlier, earlier.lease.id, repeated=True)
    waiting, ticket = _with_ticket(pool, now, criteria, sent_id, terms, request)
    try:
        lent, answer = take(waiting, now, criteria, lease_id, request, ticket, terms.owner)
    except (NoVacantCluster, ClusterNotVacant, LimitReached) as none_vacant:
        return _keep_waiting(pool, waiting, ticket, none_vacant, now, terms)
    except (NoSuchClusterKind, UnknownCluster) as no_such_cluster:
        if queue_order.find(pool, ticket_id) is None:
            raise
        return queue_order.remove(pool, ticket_id), Answer("", refusal=no_such_cluster)
    return queue_order.remove(lent, ticket_id), answer


def _with_ticket(
    pool: Pool, now: datetime, criteria: Criteria, sent_id: str, terms: WaitTerms, request: Request | None
) -> tuple[Pool, Ticket]:
    """Return the pool with the caller's ticket, connected from now on; the same pool if a write is not worthwhile."""
    known = queue_order.find(pool, scoped(sent_id, terms.owner))
    request_hash = request.hash if terms.wait and request else ""
    if known and known.hash != request_hash:
        raise id_reused(sent_id)
    connected_for = terms.connected_for
    if terms.returns:
        connected_for = _pause(pool, now, known, criteria.kind) + _LATE_BY
    connected_until = now + connected_for
    if known and known.connected_until >= connected_until - _WORTH_A_WRITE:
        return pool, known
    reserved_for = terms.reserved_for
    if known and known.is_legacy_poll:
        reserved_for = reservation_for(connected_until - known.connected_until)
    ticket = known or Ticket.new(sent_id, request_hash, criteria, now, terms.wait, terms.priority, terms.owner)
    ticket = ticket.connected(connected_until, reserved_for)
    return queue_order.put(pool, ticket), ticket


def _pause(pool: Pool, now: datetime, ticket: Ticket | None, kind: str) -> timedelta:
    """Return after which pause a caller that is not kept connected returns: the later, the more tickets precede it."""
    ahead = sum(other.kind == kind for other in queue_order.before(pool, now, ticket))
    return min(_SHORTEST_PAUSE + ahead * _PAUSE_PER_TICKET, _LONGEST_PAUSE)


def _keep_waiting(
    pool: Pool,
    waiting: Pool,
    ticket: Ticket,
    refusal: NoVacantCluster | ClusterNotVacant | LimitReached,
    now: datetime,
    terms: WaitTerms,
) -> tuple[Pool, Answer]:
    """Keep the caller's place, unless its wait is over or the queue has no room for it."""
    if ticket.wait_is_over(now):
        return _end_wait(pool, ticket, refusal, now)
    has_place = queue_order.find(pool, ticket.id) is not None or queue_room.has_room(pool, ticket)
    if ticket.until is None:
        if not has_place:
            return pool, Answer("", refusal=refusal)
        refusal.facts |= _outlook(waiting, now, ticket)
        return waiting, Answer("", refusal=refusal)
    if not has_place:
        raise queue_room.queue_full(pool, ticket.owner)
    outlook, until = _outlook(waiting, now, ticket), format_end(ticket.until)
    estimate = f" ({about(timedelta(seconds=outlook['expectedWait']))})" if "expectedWait" in outlook else ""
    sentence = (
        f"number {outlook['place']} of {len(waiting.queue)} in the queue{estimate} until {until}: "
        "repeat the same request to keep waiting"
    )
    pause = _pause(waiting, now, ticket, ticket.kind) if terms.returns else _BETWEEN_REQUESTS
    retry_after = int(pause.total_seconds())
    return waiting, Answer("", refusal=Queued(sentence, retry_after=retry_after, until=until, **outlook))


def _outlook(pool: Pool, now: datetime, ticket: Ticket) -> dict[str, int]:
    """Return the place of a ticket, and its expected wait in seconds if that is known."""
    before = queue_order.before(pool, now, ticket)
    wait = expected_wait(pool, now, ticket.criteria, before)
    place = {"place": len(before) + 1}
    return place if wait is None else {**place, "expectedWait": math.ceil(wait.total_seconds())}


def _end_wait(
    pool: Pool, ticket: Ticket, refusal: NoVacantCluster | ClusterNotVacant | LimitReached, now: datetime
) -> tuple[Pool, Answer]:
    """Remove a ticket whose wait is over, and remember its request, so that a repeat does not wait again."""
    pool = queue_order.remove(pool, ticket.id)
    pool = pool.remember(ended_request(ticket.id, ticket.hash, ticket.owner, now, f"{WAIT_OVER} at {format_time(now)}"))
    return pool, Answer("", refusal=NoVacantCluster(refusal.sentence, retry_after=refusal.retry_after, **refusal.facts))


def ended_request(identity: str, request_hash: str, owner: str, now: datetime, sentence: str) -> RememberedRequest:
    """Return what is remembered of a request that left the queue without a cluster; `identity` includes its owner."""
    return RememberedRequest.new(identity, request_hash, "getvacant", now, say=sentence, owner=owner)


def mark_disconnected(pool: Pool, now: datetime, ticket_id: str, remaining: timedelta) -> tuple[Pool, Answer]:
    """Record that a caller's connection broke, `remaining` before its planned end; the caller may come back.

    A ticket that is connected for longer than that has a newer connection, and is unchanged.
    """
    ticket = queue_order.find(pool, ticket_id)
    if ticket is None or not now < ticket.connected_until <= now + remaining + _WORTH_A_WRITE:
        return pool, Answer("")
    return queue_order.put(pool, ticket.connected(now, ticket.reserved_for)), Answer("")
