"""The check of the serving order: it accepts what the service does, and finds each ticket that was passed over."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from cimaster import pool as decide
from cimaster.pool import Criteria, HoldTerms, Pool, Request, WaitTerms
from cimaster.pool.decisions import hold_queue
from cimaster.pool.records.cluster import Cluster
from tests.serving_order import out_of_turn

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
CONNECTED = timedelta(seconds=25)


def waiting(pool: Pool, now: datetime, build: str, priority: str = "normal") -> Pool:
    """Return the pool after a take that waits."""
    terms, criteria = WaitTerms(timedelta(hours=1), priority, CONNECTED), Criteria(job="e2e", build=build)
    return decide.take_or_wait(pool, now, criteria, f"lease-{build}", terms, Request(f"r-{build}", "", "getvacant"))[0]


def queue_of(*builds: str, clusters: int = 1, people: tuple[str, ...] = ()) -> Pool:
    """Return a pool whose clusters are held, with people and then jobs in the queue."""
    records = tuple(Cluster.new({"name": f"c{number}", "status": "finished"}) for number in range(clusters))
    pool = Pool(commit=1).with_clusters(records, ())
    for cluster in records:
        pool, _ = decide.hold(pool, NOW, cluster.name, "alice")
    for person in people:
        pool, _ = decide.hold_or_wait(
            pool, NOW, Criteria(job="", build="", by=person), person, HoldTerms(), timedelta(hours=1)
        )
    for build in builds:
        pool = waiting(pool, NOW, build, "low" if build == "low" else "normal")
    return pool


def released(pool: Pool, now: datetime, name: str = "c0") -> Pool:
    """Return the pool with a cluster vacant, as the next commit."""
    return committed(decide.release(pool, now, name, "alice", is_admin=False)[0])


def committed(pool: Pool) -> Pool:
    """Return the pool with the number of the commit that writes it."""
    return dataclasses.replace(pool, commit=pool.next_commit)


def stolen(pool: Pool, now: datetime, build: str) -> Pool:
    """Return the pool after a take that ignores the queue, as the next commit."""
    taken, _ = decide.take(dataclasses.replace(pool, queue=pool.queue.only(())), now, Criteria("e2e", build), "lease")
    return committed(dataclasses.replace(taken, queue=pool.queue))


def served(pool: Pool, now: datetime, build: str) -> Pool:
    """Return the pool after a waiting take was repeated, as the next commit."""
    return committed(waiting(pool, now, build))


def test_what_the_service_does_is_in_order() -> None:
    before = released(queue_of("low", "1", "2"), NOW)
    assert out_of_turn(before, served(before, NOW, "1")) == []
    person_first = queue_of("1", people=("bob",))
    after = committed(hold_queue.serve(decide.release(person_first, NOW, "c0", "alice", is_admin=False)[0], NOW))
    assert after.find("c0").hold
    assert out_of_turn(person_first, after) == []


@pytest.mark.parametrize("thief", ["2", "low", "without a ticket"])
def test_a_caller_that_passes_another_is_found(thief: str) -> None:
    before = released(queue_of("low", "1", "2"), NOW)
    assert "passed over" in out_of_turn(before, stolen(before, NOW, thief))[0]


def test_a_person_who_waits_is_not_passed_over() -> None:
    before = released(queue_of("1", people=("bob",)), NOW)
    assert "passed over" in out_of_turn(before, stolen(before, NOW + timedelta(minutes=5), "1"))[0]


def test_a_caller_that_has_been_away_for_long_may_be_passed_over() -> None:
    before = released(queue_of("1", "2"), NOW)
    still_reserved, over = NOW + CONNECTED + timedelta(seconds=3), NOW + CONNECTED + timedelta(seconds=7)
    assert out_of_turn(before, stolen(before, still_reserved, "2"))
    assert not out_of_turn(before, stolen(before, over, "2"))


def test_with_two_vacant_clusters_the_second_may_be_first() -> None:
    before = released(released(queue_of("1", "2", "3", clusters=2), NOW), NOW, "c1")
    assert out_of_turn(before, served(before, NOW, "2")) == []
    assert out_of_turn(before, stolen(before, NOW, "3"))
