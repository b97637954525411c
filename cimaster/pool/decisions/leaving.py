"""Leave the queue: give up a place in it, or a cluster that the request has just been given."""

from datetime import datetime, timedelta

from cimaster.common.times import roughly
from cimaster.errors import NotCurrent
from cimaster.pool.decisions import queue_order
from cimaster.pool.decisions.endings import Return, give_back
from cimaster.pool.decisions.idempotency import live_take
from cimaster.pool.decisions.queueing import ended_request
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.lease import Lease
from cimaster.pool.records.owners import UNVERIFIED, Caller, check_owner, scoped, shown
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.remembered_request import request_key
from cimaster.pool.records.ticket import Ticket

_JUST_SERVED = timedelta(minutes=1)  # after a take, within which leaving the queue gives the cluster back


def cancel(pool: Pool, now: datetime, request_id: str, by: str, caller: Caller = UNVERIFIED) -> tuple[Pool, Answer]:
    """Remove a waiting request from the queue; NotCurrent if it is not waiting, because it keeps a cluster it got."""
    if queue_order.find(pool, _meant(pool, request_id, caller)) is None:
        sentence = f"request {shown(request_id)} is no longer waiting: reload to see the queue"
        raise NotCurrent(sentence, request_id=shown(request_id))
    return leave(pool, now, request_id, by, caller)


def leave(pool: Pool, now: datetime, request_id: str, by: str = "", caller: Caller = UNVERIFIED) -> tuple[Pool, Answer]:
    """Remove a request from the queue; if it has just been given a cluster, the cluster is given back.

    An unknown request may still arrive; it is then over. A request of another owner is removed only for an admin.
    """
    identity = _meant(pool, request_id, caller)
    served = live_take(pool, (identity,))
    if served and served.lease:
        check_owner(served.lease.owner, caller, f"request {shown(identity)}", "give its cluster back")
        return _give_back(pool, now, identity, served, served.lease)
    ticket = queue_order.find(pool, identity)
    if ticket:
        _check_ticket(ticket, caller)
    if ticket and (ticket.is_legacy_poll or ticket.is_hold):
        return queue_order.remove(pool, identity), Answer(f"request {shown(identity)} is no longer waiting")
    if ticket is None and request_key(identity) in pool.requests:
        return pool, Answer(f"request {shown(identity)} is not waiting")
    request_hash, owner = (ticket.hash, ticket.owner) if ticket else ("", caller.owner)
    sentence = f"the request was removed from the queue{by and f' by {by}'}"
    pool = queue_order.remove(pool, identity)
    pool = pool.remember(ended_request(identity, request_hash, owner, now, sentence))
    return pool, Answer(f"request {shown(identity)} is {'no longer' if ticket else 'not'} waiting")


def _meant(pool: Pool, request_id: str, caller: Caller) -> str:
    """Return the id within the process of the request that a caller means.

    That is its own request if it has one with this id. Otherwise it is one without an owner, or with its owner named
    after a blank, or for an admin the only one that was sent with this id.
    """
    own = scoped(request_id, caller.owner)
    if own == request_id or _is_waiting_or_served(pool, own):
        return own
    if _is_waiting_or_served(pool, request_id):
        return request_id
    of_another = _of_any_owner(pool, request_id) if caller.is_admin else ""
    return of_another or own


def _is_waiting_or_served(pool: Pool, identity: str) -> bool:
    return queue_order.find(pool, identity) is not None or live_take(pool, (identity,)) is not None


def _of_any_owner(pool: Pool, request_id: str) -> str:
    """Return the only waiting or served request that was sent with this id; empty if there is none."""
    served = (cluster.lease.request for cluster in pool.clusters if cluster.lease)
    waiting = (ticket.id for ticket in pool.queue if not ticket.fault)
    found = sorted({identity for identity in (*served, *waiting) if shown(identity) == request_id})
    if len(found) > 1:
        listed = ", ".join(f"'{identity}'" for identity in found)
        raise NotCurrent(
            f"{len(found)} callers sent request_id {request_id}: send one of {listed}, with the owner after the blank",
            request_id=request_id,
        )
    return found[0] if found else ""


def _check_ticket(ticket: Ticket, caller: Caller) -> None:
    """Refuse a caller that is neither the ticket's owner, nor the person that it is for, nor an admin."""
    if not (ticket.is_hold and ticket.is_seen_by(caller)):
        check_owner(ticket.owner, caller, f"request {shown(ticket.id)}", "remove it from the queue")


def _give_back(pool: Pool, now: datetime, identity: str, served: Cluster, lease: Lease) -> tuple[Pool, Answer]:
    had_for = now - (lease.acquired or now)
    if had_for > _JUST_SERVED:
        raise NotCurrent(
            f"request {shown(identity)} has had {served.name} for {roughly(had_for)}: give it back with finishtest",
            cluster=served.name,
            request_id=shown(identity),
        )
    pool = give_back(pool, served, "finished", now, Return(), reason="its caller left the queue")
    sentence = f"request {shown(identity)} had just been given {served.name}, which is given back"
    return pool, Answer(sentence, pool.find(served.name))
