"""Hold when free: people wait for a cluster in the same queue as jobs, and hold it when their turn comes.

Such a ticket needs no connection, and a person has one for each kind of cluster.
"""

import dataclasses
import hashlib
import logging
from datetime import datetime, timedelta

from cimaster.common.texts import folded
from cimaster.common.times import format_end
from cimaster.errors import ClusterNotVacant, LimitReached, NoVacantCluster, RequestOver
from cimaster.pool.decisions import limits, queue_order, queue_room
from cimaster.pool.decisions.hold_times import check_duration, with_hold
from cimaster.pool.decisions.holding import hold
from cimaster.pool.decisions.idempotency import Request, once
from cimaster.pool.decisions.lending import choose
from cimaster.pool.records.cluster import VACANT, Cluster
from cimaster.pool.records.criteria import Criteria
from cimaster.pool.records.hold_terms import HoldTerms
from cimaster.pool.records.json_values import dump
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.ticket import Ticket

_log = logging.getLogger(__name__)
_IDS = "hold-"


def ticket_id(by: str, criteria: Criteria) -> str:
    """Return the id of a person's ticket for this kind of cluster; they have one for each kind."""
    return _IDS + hashlib.sha256(dump([folded(by), criteria.kind]).encode()).hexdigest()[:16]


def hold_or_wait(
    pool: Pool,
    now: datetime,
    criteria: Criteria,
    by: str,
    terms: HoldTerms,
    wait: timedelta,
    owner: str = "",
    request: Request | None = None,
) -> tuple[Pool, Answer]:
    """Hold a cluster for a person now, or when their turn comes within `wait`; the answer has their place then.

    A person who waits already keeps their place; the new terms apply. A repeated request changes nothing, and its
    answer says what has become of it. `owner` is the caller, whose share of the queue the ticket counts towards.
    """
    pool, answer = once(pool, now, request, lambda: _hold_or_wait(pool, now, criteria, by, terms, wait, owner))
    if answer.repeated and answer.cluster is None:
        answer = _answer_to_repeat(pool, now, criteria, by)
    return pool, answer


def _hold_or_wait(
    pool: Pool, now: datetime, criteria: Criteria, by: str, terms: HoldTerms, wait: timedelta, owner: str
) -> tuple[Pool, Answer]:
    if terms.duration:
        check_duration(pool.rules, terms.duration, "duration")
    named = pool.find(criteria.cluster) if criteria.cluster else None
    if named and _is_theirs_or_unused(named, by):
        return hold(pool, now, named.name, by, terms)
    identity = ticket_id(by, criteria)
    try:
        chosen = choose(pool, criteria, now, identity)
        limits.check_holds(pool, by)
    except (NoVacantCluster, ClusterNotVacant, LimitReached):
        return _wait(pool, now, _ticket(pool, now, identity, criteria, terms, wait, owner))
    held, answer = hold(pool, now, chosen.name, by, terms)
    return queue_order.remove(held, identity), answer


def _is_theirs_or_unused(cluster: Cluster, by: str) -> bool:
    """Say whether a person holds the cluster, or could hold it now although it is not lent, such as a disabled one."""
    if cluster.hold:
        return cluster.hold.is_of(by)
    return cluster.lease is None and cluster.state != VACANT


def _answer_to_repeat(pool: Pool, now: datetime, criteria: Criteria, by: str) -> Answer:
    """Return a person's place in the queue, or the cluster that they hold since; RequestOver if there is neither."""
    ticket = queue_order.find(pool, ticket_id(by, criteria))
    if ticket:
        return dataclasses.replace(_place_of(pool, now, ticket), repeated=True)
    held = next((cluster for cluster in limits.held_by(pool, by) if criteria.matches(cluster)), None)
    if held:
        return Answer(f"cluster {held.name} is held by {by}", held, repeated=True)
    raise RequestOver(f"{by} no longer waits for {criteria.describe()}: use a new request_id to wait again")


def _ticket(
    pool: Pool, now: datetime, identity: str, criteria: Criteria, terms: HoldTerms, wait: timedelta, owner: str
) -> Ticket:
    known = queue_order.find(pool, identity)
    since = known.since if known else now
    lasts = terms.duration or pool.rules.hold
    return Ticket.for_hold(identity, criteria, since, now + wait, terms, lasts, owner)


def _wait(pool: Pool, now: datetime, ticket: Ticket) -> tuple[Pool, Answer]:
    known = queue_order.find(pool, ticket.id)
    if known is None and not queue_room.has_room(pool, ticket):
        raise queue_room.queue_full(pool, ticket.owner)
    if known is None or known.fields != ticket.fields:
        pool = queue_order.put(pool, ticket)
    return pool, _place_of(pool, now, ticket)


def _place_of(pool: Pool, now: datetime, ticket: Ticket) -> Answer:
    assert ticket.until
    place = queue_order.position(pool, now, pool.queue.by_id[ticket.id])
    person, wanted = ticket.criteria.by, ticket.criteria.describe()
    kind = wanted if ticket.criteria.cluster else f"a {wanted}"
    sentence = (
        f"{person} is number {place} in the queue for {kind} until {format_end(ticket.until)}, and holds it when it is "
        f"free; /leavequeue with request_id={ticket.id} cancels that"
    )
    return Answer(sentence, place=place, ticket=ticket.id)


def place_for(pool: Pool, now: datetime, criteria: Criteria) -> int:
    """Return a person's place in the queue for this kind of cluster; without a ticket, the place they would get."""
    ticket = queue_order.find(pool, ticket_id(criteria.by, criteria))
    return queue_order.position(pool, now, ticket) if ticket else queue_order.next_position(pool, now)


def serve(pool: Pool, now: datetime) -> Pool:
    """Return the pool with the vacant clusters held that are reserved for people who wait."""
    pool = _without_fulfilled(pool)
    if not may_become_due(pool):
        return pool
    for name, ticket in queue_order.reservations(pool, now).items():
        if ticket.is_hold:
            pool = _serve_alone(pool, now, name, ticket)
    return pool


def _without_fulfilled(pool: Pool) -> Pool:
    """Return the pool without the tickets for a named cluster that is deleted, or that the person holds already.

    They got it in another way, for example by a hand-over; the ticket would make them hold it again after its release.
    """
    for ticket in pool.queue.holds:
        name = ticket.criteria.cluster
        if not name:
            continue
        named = pool.clusters[pool.positions[name]] if name in pool.positions else None
        is_held = named is not None and named.hold is not None and named.hold.is_of(ticket.criteria.by)
        is_deleted = named is None and not pool.records_named(name)
        if is_held or is_deleted:
            pool = queue_order.remove(pool, ticket.id)
    return pool


def is_due(pool: Pool, now: datetime) -> bool:
    """Say whether a person's turn has come, because the callers before them have disconnected."""
    return serve(pool, now) is not pool


def may_become_due(pool: Pool) -> bool:
    """Say whether a person's turn may come without a change of the pool."""
    return any(ticket.criteria.matches(cluster) for ticket in pool.queue.holds for cluster in pool.vacant)


def _serve_alone(pool: Pool, now: datetime, name: str, ticket: Ticket) -> Pool:
    """Hold a cluster for the person of a ticket; a ticket that cannot be served is dropped, so that others are."""
    served = queue_order.remove(pool, ticket.id)
    cluster = pool.find(name)
    try:
        lasts = min(ticket.hold_for or pool.rules.hold, pool.rules.max_hold)
        held = with_hold(cluster, ticket.criteria.by, ticket.desc, lasts, now, ticket.shared_with)
        actor, new_holder = (ticket.made_by, ticket.criteria.by) if ticket.made_by else (ticket.criteria.by, "")
        facts = {"newHolder": new_holder, "reason": ticket.desc}
        return served.changed(cluster, held, "held when free", now, actor, **facts)
    except Exception:
        _log.exception("ticket %s cannot be served, and is dropped", ticket.id)
        return served
