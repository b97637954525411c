"""Wait for a cluster: take one, or keep a place in the queue; and give that place up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.errors import ClusterNotVacant, NotCurrent, NoVacantCluster, Queued
from cimaster.pool import queue
from cimaster.pool.ask import Ask
from cimaster.pool.lending import take
from cimaster.pool.repeats import Request, earlier_take, live_take, reused
from cimaster.pool.state import Answer, Pool, Remembered, end_lease
from cimaster.pool.ticket import BETWEEN_POLLS, NORMAL, Ticket, keeping, of_words
from cimaster.times import format_end, format_time, roughly

_WORTH_A_WRITE = timedelta(seconds=2)  # by which somebody is there for longer than the queue knows
_JUST = timedelta(minutes=1)  # for which a cluster counts as just served


@dataclass(frozen=True)
class Stay:
    """How somebody waits: for at most `wait` (None: by asking again and again), connected for `connected` from now."""

    wait: timedelta | None = None
    priority: str = NORMAL
    connected: timedelta = timedelta()
    keeps: timedelta = BETWEEN_POLLS


def take_or_wait(
    pool: Pool, now: datetime, ask: Ask, lease_id: str, stay: Stay, request: Request | None = None
) -> tuple[Pool, Answer]:
    """Lend a cluster to somebody whose turn it is; if it is not, keep their place in the queue.

    The answer then is the refusal to tell them: Queued, or for those who only ask again and again why none is vacant.
    """
    identity = request.id if stay.wait and request else of_words(ask)
    earlier = earlier_take(pool, request) if request else None
    if earlier and earlier.lease:
        return queue.without(pool, identity), Answer(earlier.name, earlier, earlier.lease.id, repeated=True)
    waiting, ticket = _in_line(pool, now, ask, identity, stay, request)
    try:
        lent, answer = take(waiting, now, ask, lease_id, request, ticket)
    except (NoVacantCluster, ClusterNotVacant) as none:
        return _left_waiting(pool, waiting, ticket, none, now)
    return queue.without(lent, identity), answer


def _in_line(
    pool: Pool, now: datetime, ask: Ask, identity: str, stay: Stay, request: Request | None
) -> tuple[Pool, Ticket]:
    """Return the pool in which the queue knows that somebody is there; the same pool if it knows that well enough."""
    known = queue.find(pool, identity)
    asked_hash = request.hash if stay.wait and request else ""
    if known and known.hash != asked_hash:
        raise reused(identity)
    here = now + stay.connected
    if known and known.here >= here - _WORTH_A_WRITE:
        return pool, known
    keeps = keeping(here - known.here) if known and known.polls else stay.keeps
    ticket = (known or Ticket.new(identity, asked_hash, ask, now, stay.wait, stay.priority)).seen(here, keeps)
    return queue.put(pool, ticket), ticket


def _left_waiting(
    pool: Pool, waiting: Pool, ticket: Ticket, none: NoVacantCluster | ClusterNotVacant, now: datetime
) -> tuple[Pool, Answer]:
    if ticket.over(now):
        return queue.without(pool, ticket.id), Answer("", refusal=none)
    place = queue.place(waiting, now, ticket.id)
    if ticket.polls:
        none.facts["place"] = place
        return waiting, Answer("", refusal=none)
    assert ticket.until
    told = (
        f"number {place} of {len(waiting.queue)} in the queue until {format_end(ticket.until)}: ask again the same way"
    )
    return waiting, Answer("", refusal=Queued(told, retry_after=1, place=place, until=format_end(ticket.until)))


def step_away(pool: Pool, now: datetime, identity: str) -> tuple[Pool, Answer]:
    """Write that the caller of a ticket is not connected any more; they may come back."""
    known = queue.find(pool, identity)
    if known is None or known.here <= now:
        return pool, Answer("")
    return queue.put(pool, known.seen(now, known.keeps)), Answer("")


def cancel(pool: Pool, now: datetime, identity: str) -> tuple[Pool, Answer]:
    """Take somebody who waits out of the queue; NotCurrent if they do not: a cluster that they got stays theirs."""
    if queue.find(pool, identity) is None:
        raise NotCurrent(f"request {identity} does not wait any more", request_id=identity)
    return leave(pool, now, identity)


def leave(pool: Pool, now: datetime, identity: str) -> tuple[Pool, Answer]:
    """Give a place in the queue up; a cluster that its request was just given goes back."""
    ticket = queue.find(pool, identity)
    if ticket:
        over = Remembered(identity, ticket.hash, "getvacant", format_time(now))
        pool = queue.without(pool, identity)
        return pool if ticket.polls else pool.remember(over), Answer(f"request {identity} does not wait any more")
    served = live_take(pool, identity)
    if served is None or served.lease is None:
        return pool, Answer(f"request {identity} does not wait")
    had = now - (served.lease.acquired or now)
    if had > _JUST:
        raise NotCurrent(
            f"request {identity} has had {served.name} for {roughly(had)}: give it back with finishtest",
            cluster=served.name, request_id=identity,
        )  # fmt: skip
    pool = end_lease(pool, served, "finished", "finished", now, reason="its caller left the queue")
    given_back = pool.find(served.name)
    return pool, Answer(f"request {identity} had just been given {served.name}, which is given back", given_back)
