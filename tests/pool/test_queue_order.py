"""The order of service is that of a simple implementation, however the queue came about and is indexed."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cimaster.pool import ClusterFacts, Criteria, Pool, add, codec
from cimaster.pool.decisions import queue_order
from cimaster.pool.records.queue import Queue, parse_queue
from cimaster.pool.records.ticket import BETWEEN_POLLS, PRIORITIES, Ticket
from tests.stored import NOW

KINDS: list[dict[str, Any]] = [
    {},
    {"region": "us"},
    {"region": "eu"},
    {"cluster": "c1"},
    {"purpose": "perf"},
    {"labels": {"gpu": "yes"}},
]
SECONDS = st.sampled_from([0, 0, 1, 30, 599, 600, 601, 1199, 1200, 3000, 90_000])
TICKETS = st.lists(
    st.tuples(SECONDS, st.sampled_from(PRIORITIES), st.sampled_from(KINDS), st.booleans(), st.integers(0, 5)),
    max_size=25,
)
POOLS = st.lists(st.sampled_from([("us", ""), ("eu", ""), ("us", "perf"), ("eu", "perf")]), max_size=6)


def pool_of(clusters: list[tuple[str, str]]) -> Pool:
    """Return a pool with vacant clusters."""
    pool = Pool()
    for number, (region, purpose) in enumerate(clusters):
        labels = {"gpu": "yes"} if number % 3 == 0 else None
        pool, _ = add(pool, NOW, f"c{number}", "root", ClusterFacts(region, purpose=purpose or None, labels=labels))
    return pool


def with_tickets(pool: Pool, drawn: list[tuple[int, str, dict[str, Any], bool, int]]) -> Pool:
    """Return the pool after tickets have arrived, some of them again, and others have left."""
    for number, (seconds, priority, kind, is_present, leaving) in enumerate(drawn):
        arrived = NOW - timedelta(seconds=seconds)
        criteria = Criteria("e2e", str(number), **kind)
        ticket = Ticket.new(f"t{number}", "h", criteria, arrived, timedelta(days=1), priority)
        until = NOW + timedelta(seconds=20) if is_present else arrived - timedelta(seconds=60)
        pool = queue_order.put(pool, ticket.connected(arrived, BETWEEN_POLLS))
        pool = queue_order.put(pool, ticket.connected(until, BETWEEN_POLLS))
        if leaving == 0:
            pool = queue_order.remove(pool, f"t{number // 2}")
    return pool


def naive_order(pool: Pool, now: datetime) -> list[Ticket]:
    """Return the tickets by rank, then by arrival."""
    return sorted(pool.queue, key=lambda ticket: -ticket.rank(now))


def naive_reservations(pool: Pool, now: datetime, present: set[str]) -> dict[str, str]:
    """Give each present ticket in turn the longest vacant cluster that it matches."""
    reserved: dict[str, str] = {}
    for ticket in naive_order(pool, now):
        cluster = ticket.criteria.first_of(c for c in pool.vacant if c.name not in reserved)
        if cluster and (ticket.id in present or ticket.is_present(now)):
            reserved[cluster.name] = ticket.id
    return reserved


@given(POOLS, TICKETS, st.sampled_from([0, 1, 5, 600, 660]), st.sets(st.sampled_from(["t0", "t1", "t5"])))
def test_the_order_is_that_of_a_simple_implementation(
    clusters: list[tuple[str, str]],
    drawn: list[tuple[int, str, dict[str, Any], bool, int]],
    later: int,
    present: set[str],
) -> None:
    now = NOW + timedelta(seconds=later)
    pool = with_tickets(pool_of(clusters), drawn)
    order = naive_order(pool, now)
    assert queue_order.in_serving_order(pool, now) == order
    assert [queue_order.position(pool, now, ticket) for ticket in order] == list(range(1, len(order) + 1))
    reserved = queue_order.reservations(pool, now, present)
    assert {name: ticket.id for name, ticket in reserved.items()} == naive_reservations(pool, now, present)


@given(POOLS, TICKETS)
def test_the_indexes_are_those_of_a_queue_that_was_read(
    clusters: list[tuple[str, str]], drawn: list[tuple[int, str, dict[str, Any], bool, int]]
) -> None:
    pool = with_tickets(pool_of(clusters), drawn)
    stored, data = codec.encode(pool, NOW)
    read = codec.decode(data, 1, stored.rules).queue
    assert [ticket.fields for ticket in read] == [ticket.fields for ticket in pool.queue]
    assert list(read.by_id) == list(pool.queue.by_id) == [ticket.id for ticket in pool.queue]
    assert set(read.kinds) <= set(pool.queue.kinds)
    assert [ticket.criteria for ticket in read] == [ticket.criteria for ticket in pool.queue]


@given(POOLS, TICKETS)
def test_a_new_ticket_of_normal_priority_would_come_last_of_its_rank(
    clusters: list[tuple[str, str]], drawn: list[tuple[int, str, dict[str, Any], bool, int]]
) -> None:
    pool = with_tickets(pool_of(clusters), drawn)
    expected = len(queue_order.before(pool, NOW, None)) + 1
    new = Ticket.new("new", "h", Criteria("e2e", "new"), NOW, timedelta(hours=1), "normal")
    assert queue_order.position(queue_order.put(pool, new), NOW, new) == expected


def test_unchanged_tickets_are_not_read_again() -> None:
    pool = with_tickets(pool_of([]), [(number, "normal", {}, True, 1) for number in range(3)])
    text = pool.queue.text
    assert parse_queue(text, pool.queue) is pool.queue
    changed = pool.queue.with_ticket(pool.queue[1].connected(NOW + timedelta(seconds=9), BETWEEN_POLLS))
    read = parse_queue(changed.text, pool.queue)
    assert [new is old for new, old in zip(read, pool.queue, strict=True)] == [True, False, True]


def test_of_two_broken_tickets_with_one_text_one_can_be_removed() -> None:
    queue = parse_queue('[\n7,\n7,\n{"id":"r"}\n]')
    pool = dataclasses.replace(Pool(), queue=queue)
    once = queue_order.remove(pool, queue[0].id)
    assert [ticket.text for ticket in once.queue] == ["7", '{"id":"r"}']
    assert [ticket.id for ticket in queue_order.remove(once, queue[0].id).queue] == ["r"]
    assert queue_order.remove(pool, "unknown") is pool


def test_the_index_of_a_queue_of_other_tickets_is_its_own() -> None:
    queue = parse_queue('[\n{"id":"r"},\n{"id":"s"}\n]')
    assert list(queue.by_id) == ["r", "s"]
    assert queue.only(queue) is queue
    assert list(Queue(queue[1:]).by_id) == ["s"]
