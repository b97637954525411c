"""The queue holds up to 5,000 tickets, in fair shares, and only as far as the stored object has room for them."""

import dataclasses
import uuid
from datetime import timedelta

import pytest

from cimaster.errors import QueueFull
from cimaster.pool import (
    Answer,
    ClusterFacts,
    Criteria,
    FinishRequest,
    HoldTerms,
    Pool,
    Request,
    WaitTerms,
    add,
    codec,
    finish,
    leave,
    take,
    take_or_wait,
)
from cimaster.pool.decisions import queue_order, queue_room
from cimaster.pool.records.object_size import OBJECT_LIMIT, byte_count
from cimaster.pool.records.queue import Queue
from cimaster.pool.records.ticket import BETWEEN_POLLS, NORMAL, Ticket
from tests.stored import NOW

LONG = timedelta(hours=5)
FILLER = "filler"


def pool_of(clusters: int = 1) -> Pool:
    """Return a pool of occupied clusters, and a vacant one that no ticket wants."""
    pool = Pool()
    for number in range(clusters):
        pool, _ = add(pool, NOW, f"c{number}", "root", ClusterFacts("us"))
        pool, _ = take(pool, NOW, Criteria("e2e", str(number)), f"lease-{number}")
    return add(pool, NOW, "perf", "root", ClusterFacts("us", purpose="perf"))[0]


def ticket(identity: str, owner: str, job: str = "e2e-conformance") -> Ticket:
    """Return the ticket of a connected caller, with values of the usual length."""
    made = Ticket.new(identity, "0123456789abcdef", Criteria(job, "20000", "ci-bot"), NOW, LONG, NORMAL, owner)
    return made.connected(NOW + timedelta(seconds=25), BETWEEN_POLLS)


def flooded(pool: Pool, owner: str, job: str = "e2e-conformance", most: int = 10_000) -> Pool:
    """Return the pool after one owner has queued as many requests as allowed, at most `most`."""
    for number in range(most):
        new = ticket(f"{owner}-{number:032}", owner, job)
        if not queue_room.has_room(pool, new):
            break
        pool = queue_order.put(pool, new)
    return pool


def crowded(count: int, clusters: int = 1) -> Pool:
    """Return a pool in which that many callers of different owners wait."""
    tickets = (ticket(str(uuid.UUID(int=number)), f"{number % 60:012}") for number in range(count))
    return dataclasses.replace(pool_of(clusters), queue=Queue(tickets))


def wait(pool: Pool, identity: str, owner: str, job: str = "e2e", purpose: str = "") -> tuple[Pool, Answer]:
    """Take a cluster or wait."""
    terms = WaitTerms(LONG, connected_for=timedelta(seconds=25), owner=owner)
    request = Request(identity, "0123456789abcdef", "getvacant", owner)
    return take_or_wait(pool, NOW, Criteria(job, identity, purpose=purpose), f"lease-{identity}", terms, request)


def size(pool: Pool) -> int:
    """Return the bytes of the stored object."""
    return sum(map(byte_count, codec.encode(pool, NOW)[1].values()))


def test_a_typical_ticket_takes_170_bytes() -> None:
    assert ticket(str(uuid.uuid4()), "0123456789ab").size <= 172


def test_five_thousand_tickets_fit_and_are_the_most() -> None:
    pool = crowded(queue_room.MOST_TICKETS - 1, clusters=60)
    assert queue_room.has_room(pool, ticket("one-more", "late"))
    pool = queue_order.put(pool, ticket("one-more", "late"))
    assert not queue_room.has_room(pool, ticket("too-many", "later"))
    stored, data = codec.encode(pool, NOW)
    assert len(codec.decode(data, 1, stored.rules).queue) == queue_room.MOST_TICKETS
    assert size(pool) < OBJECT_LIMIT


@pytest.mark.parametrize("job", ["e2e-conformance", "x" * 253, "\N{GRINNING FACE}" * 253])
def test_no_caller_fills_the_queue_for_the_others(job: str) -> None:
    pool = flooded(pool_of(), "office", job)
    own = len(pool.queue)
    assert own > 300
    with pytest.raises(QueueFull, match=f"full for this caller: {own} of the {own} waiting requests") as refusal:
        wait(pool, "office-one-more", "office", job)
    assert "/leavequeue" in refusal.value.sentence
    assert refusal.value.retry_after
    _, answer = wait(pool, "other", "else")
    assert answer.refusal
    assert answer.refusal.facts["place"] == own + 1
    assert wait(flooded(pool, "second", job, most=own // 3), "third", "third")[1].refusal


def test_leaving_makes_room_in_the_queue() -> None:
    pool = flooded(pool_of(), "office")
    assert not queue_room.has_room(pool, ticket("one-more", "office"))
    pool, _ = leave(pool, NOW, pool.queue[0].id)
    assert queue_room.has_room(pool, ticket("one-more", "office"))


def test_a_full_queue_still_serves() -> None:
    pool = crowded(queue_room.MOST_TICKETS)
    with pytest.raises(QueueFull, match="the queue is full: 5000 requests are waiting"):
        wait(pool, "late", "late")
    assert wait(pool, "late", "late", purpose="perf")[1].text == "perf"
    first = pool.queue[0]
    freed, _ = finish(pool, NOW, FinishRequest("c0", "lease-0"))
    served, answer = wait(freed, first.id, first.owner)
    assert answer.text == "c0"
    assert len(served.queue) == queue_room.MOST_TICKETS - 1


def test_the_queue_leaves_room_for_everything_else() -> None:
    others = 600_000
    pool = dataclasses.replace(crowded(1), other_keys={FILLER: "x" * others})
    for number in range(60):
        pool = flooded(pool, f"owner-{number}", most=200)
    assert queue_room.LEAST_BYTES < byte_count(pool.queue.text) <= OBJECT_LIMIT - others
    for number in range(40):
        pool, _ = add(pool, NOW, f"new{number}", "root", ClusterFacts("us", note="n" * 500))
    stored, _ = codec.encode(pool, NOW)
    assert len(stored.queue) == len(pool.queue)


def test_the_newest_tickets_give_way_when_the_object_is_full() -> None:
    pool = dataclasses.replace(crowded(4000), other_keys={FILLER: "x" * (OBJECT_LIMIT - 300_000)})
    person = Ticket.for_hold("hold-1", Criteria("", ""), NOW, NOW + LONG, HoldTerms(), LONG, "")
    stored, _ = codec.encode(queue_order.put(pool, person), NOW)
    assert stored.queue == (*pool.queue[: len(stored.queue) - 1], person)
    assert queue_room.LEAST_BYTES * 0.9 < byte_count(stored.queue.text) < 300_000
