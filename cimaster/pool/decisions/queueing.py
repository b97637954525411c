"""Wait for a cluster: take one, or keep a place in the queue; and give that place up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.times import format_end, format_time, roughly
from cimaster.errors import (
    ClusterNotVacant,
    NoSuchClusterKind,
    NotCurrent,
    NoVacantCluster,
    Queued,
    QueueFull,
    UnknownCluster,
)
from cimaster.pool.decisions import queue_order
from cimaster.pool.decisions.idempotency import WAIT_OVER, Request, earlier_take, id_reused, live_take
from cimaster.pool.decisions.lending import take
from cimaster.pool.decisions.transitions import end_lease
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.criteria import Criteria
from cimaster.pool.records.lease import Lease
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.remembered_request import RememberedRequest, request_key
from cimaster.pool.records.ticket import BETWEEN_POLLS, NORMAL, Ticket, poll_ticket_id, reservation_for

_WORTH_A_WRITE = timedelta(seconds=2)  # by which somebody is there for longer than the queue knows
_ASK_AGAIN = 10  # seconds, where the queue is full
_JUST = timedelta(minutes=1)  # for which a cluster counts as just served


@dataclass(frozen=True)
class WaitTerms:
    """How a caller waits: for at most `wait` (None: by asking again and again), connected for `connected` from now."""

    wait: timedelta | None = None
    priority: str = NORMAL
    connected_for: timedelta = timedelta()
    reserved_for: timedelta = BETWEEN_POLLS
    owner: str = ""


def take_or_wait(
    pool: Pool, now: datetime, criteria: Criteria, lease_id: str, terms: WaitTerms, request: Request | None = None
) -> tuple[Pool, Answer]:
    """Lend a cluster to somebody whose turn it is; if it is not, keep their place in the queue.

    The answer then is the refusal to tell them: Queued, or for those who only ask again and again why none is vacant.
    """
    identity = request.id if terms.wait and request else poll_ticket_id(criteria)
    earlier = earlier_take(pool, request) if request else None
    if earlier and earlier.lease:
        return queue_order.remove(pool, identity), Answer(earlier.name, earlier, earlier.lease.id, repeated=True)
    waiting, ticket = _in_line(pool, now, criteria, identity, terms, request)
    try:
        lent, answer = take(waiting, now, criteria, lease_id, request, ticket)
    except (NoVacantCluster, ClusterNotVacant) as none:
        return _left_waiting(pool, waiting, ticket, none, now)
    except (NoSuchClusterKind, UnknownCluster) as gone:
        if queue_order.find(pool, identity) is None:
            raise
        return queue_order.remove(pool, identity), Answer("", refusal=gone)
    return queue_order.remove(lent, identity), answer


def _in_line(
    pool: Pool, now: datetime, criteria: Criteria, identity: str, terms: WaitTerms, request: Request | None
) -> tuple[Pool, Ticket]:
    """Return the pool in which the queue knows that somebody is there; the same pool if it knows that well enough."""
    known = queue_order.find(pool, identity)
    asked_hash = request.hash if terms.wait and request else ""
    if known and known.hash != asked_hash:
        raise id_reused(identity)
    here = now + terms.connected_for
    if known and known.connected_until >= here - _WORTH_A_WRITE:
        return pool, known
    keeps = reservation_for(here - known.connected_until) if known and known.is_legacy_poll else terms.reserved_for
    ticket = known or Ticket.new(identity, asked_hash, criteria, now, terms.wait, terms.priority, terms.owner)
    ticket = ticket.connected(here, keeps)
    return queue_order.put(pool, ticket), ticket


def _left_waiting(
    pool: Pool, waiting: Pool, ticket: Ticket, none: NoVacantCluster | ClusterNotVacant, now: datetime
) -> tuple[Pool, Answer]:
    if ticket.wait_is_over(now):
        return _wait_over(pool, ticket, none, now)
    room = queue_order.find(pool, ticket.id) is not None or queue_order.has_room(pool, ticket)
    if ticket.until is None:
        none.facts |= {"place": queue_order.position(waiting, now, ticket.id)} if room else {}
        return waiting if room else pool, Answer("", refusal=none)
    if not room:
        raise _full(pool, ticket.owner)
    place, until = queue_order.position(waiting, now, ticket.id), format_end(ticket.until)
    told = f"number {place} of {len(waiting.queue)} in the queue until {until}: ask again the same way"
    return waiting, Answer("", refusal=Queued(told, retry_after=1, place=place, until=until))


def _full(pool: Pool, owner: str) -> QueueFull:
    own, all_ = len(queue_order.of_owner(pool, owner)), len(pool.queue)
    if not own:
        return QueueFull(f"the queue is full: {all_} requests wait; ask again later", retry_after=_ASK_AGAIN)
    return QueueFull(
        f"the queue is full for this caller: {own} of the {all_} requests that wait are its own; give some of them up "
        "with /leavequeue, or ask again later",
        retry_after=_ASK_AGAIN,
        waiting=all_,
        own=own,
    )


def _wait_over(
    pool: Pool, ticket: Ticket, none: NoVacantCluster | ClusterNotVacant, now: datetime
) -> tuple[Pool, Answer]:
    """Say that nothing came free in time, for good: a repeat must not begin to wait anew."""
    said = f"{WAIT_OVER} at {format_time(now)}"
    pool = queue_order.remove(pool, ticket.id).remember(_over(ticket.id, ticket.hash, ticket.owner, now, said))
    return pool, Answer("", refusal=NoVacantCluster(none.sentence, retry_after=none.retry_after, **none.facts))


def _over(identity: str, asked_hash: str, owner: str, now: datetime, said: str) -> RememberedRequest:
    return RememberedRequest(request_key(identity), asked_hash, "getvacant", format_time(now), say=said, owner=owner)


def mark_disconnected(pool: Pool, now: datetime, identity: str, left: timedelta) -> tuple[Pool, Answer]:
    """Write that a caller's connection broke, which would have lasted for as long as is `left`; they may come back.

    A connection of the same request that was begun later lasts longer: then they are there still.
    """
    known = queue_order.find(pool, identity)
    if known is None or not now < known.connected_until <= now + left + _WORTH_A_WRITE:
        return pool, Answer("")
    return queue_order.put(pool, known.connected(now, known.reserved_for)), Answer("")


def cancel(pool: Pool, now: datetime, identity: str, by: str) -> tuple[Pool, Answer]:
    """Take somebody who waits out of the queue; NotCurrent if they do not: a cluster that they got stays theirs."""
    if queue_order.find(pool, identity) is None:
        raise NotCurrent(f"request {identity} does not wait any more", request_id=identity)
    return leave(pool, now, identity, by)


def leave(pool: Pool, now: datetime, identity: str, by: str = "", owner: str = "") -> tuple[Pool, Answer]:
    """Give a place in the queue up; a cluster that its request was just given goes back.

    A request of which nothing is known may come yet, and is over then; `owner` is the caller that says so.
    """
    ticket, served = queue_order.find(pool, identity), live_take(pool, identity)
    if served and served.lease:
        return _given_back(pool, now, identity, served, served.lease)
    if ticket and ticket.is_legacy_poll:
        return queue_order.remove(pool, identity), Answer(f"request {identity} does not wait any more")
    if ticket is None and request_key(identity) in pool.requests:
        return pool, Answer(f"request {identity} does not wait")
    said = f"the request was taken out of the queue{by and f' by {by}'}"
    asked_hash, owner = (ticket.hash, ticket.owner) if ticket else ("", owner)
    pool = queue_order.remove(pool, identity).remember(_over(identity, asked_hash, owner, now, said))
    return pool, Answer(f"request {identity} does not wait{' any more' if ticket else ''}")


def _given_back(pool: Pool, now: datetime, identity: str, served: Cluster, lease: Lease) -> tuple[Pool, Answer]:
    had = now - (lease.acquired or now)
    if had > _JUST:
        raise NotCurrent(
            f"request {identity} has had {served.name} for {roughly(had)}: give it back with finishtest",
            cluster=served.name,
            request_id=identity,
        )
    pool = end_lease(pool, served, "finished", "finished", now, reason="its caller left the queue")
    given_back = pool.find(served.name)
    return pool, Answer(f"request {identity} had just been given {served.name}, which is given back", given_back)
