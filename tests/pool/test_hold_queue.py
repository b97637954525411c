"""Hold when free: people wait in the same queue as jobs, without a connection."""

from datetime import timedelta

import pytest

from cimaster.errors import LimitReached, NoSuchClusterKind, NoVacantCluster, RequestOver
from cimaster.pool import (
    Answer,
    Criteria,
    FinishRequest,
    HoldTerms,
    Pool,
    Request,
    Rules,
    WaitTerms,
    delete,
    disable,
    expire,
    finish,
    hand_over,
    hold,
    hold_or_wait,
    leave,
    release,
    take,
    take_or_wait,
)
from cimaster.pool.decisions import hold_queue, queue_order
from cimaster.pool.records.lease import Hold
from tests.pool.test_expiry import NOW
from tests.pool.test_health import pool_with

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ANY = Criteria("", "", "bob")


def busy(*names: str) -> Pool:
    """Return a pool whose clusters are all lent."""
    pool = pool_with(*names)
    for name in names:
        pool, _ = take(pool, NOW, Criteria("e2e", name, cluster=name), f"lease-{name}")
    return pool


def wait(pool: Pool, by: str = "bob", cluster: str = "", minutes: int = 0, duration: timedelta | None = None) -> Pool:
    """Have a person wait for a cluster."""
    terms = HoldTerms("debug", duration)
    pool, answer = hold_or_wait(
        pool, NOW + minutes * MINUTE, Criteria("", "", by, cluster=cluster), by, terms, 48 * HOUR
    )
    assert answer.place
    return pool


def give_back(pool: Pool, name: str, minutes: int = 0) -> Pool:
    """Finish the job that has a cluster, and serve those who wait, as the committer does."""
    now = NOW + minutes * MINUTE
    pool, _ = finish(pool, now, FinishRequest(name, f"lease-{name}"))
    return hold_queue.serve(pool, now)


def held(pool: Pool, name: str) -> Hold | None:
    """Return the hold of a cluster."""
    return pool.find(name).hold


def test_a_vacant_cluster_is_held_immediately() -> None:
    pool, answer = hold_or_wait(pool_with("c1"), NOW, ANY, "bob", HoldTerms(), HOUR)
    assert answer.text == "cluster c1 is held by bob until 2026-01-02T18:00:00Z"
    assert (answer.place, pool.queue) == (0, ())


def test_the_hold_begins_when_the_turn_comes() -> None:
    pool = give_back(wait(busy("c1"), duration=2 * HOUR), "c1", 5)
    taken = held(pool, "c1")
    assert taken
    assert (taken.by, taken.desc, taken.expires) == ("bob", "debug", NOW + 5 * MINUTE + 2 * HOUR)
    assert pool.queue == ()
    assert pool.history[-1].event == "held when free"


def test_a_person_waits_behind_another_persons_hold() -> None:
    pool, _ = hold(pool_with("c1", "c2"), NOW, "c1", "alice")
    pool, answer = hold_or_wait(pool, NOW, Criteria("", "", "bob", cluster="c1"), "bob", HoldTerms(), 48 * HOUR)
    assert answer.text.startswith("bob is number 1 in the queue for c1 until 2026-01-04T12:00:00Z")
    pool, _ = release(pool, NOW, "c1", "alice", is_admin=False)
    bobs = held(hold_queue.serve(pool, NOW), "c1")
    assert bobs
    assert bobs.by == "bob"


def test_no_job_gets_the_cluster_of_a_person_whose_turn_it_is() -> None:
    pool, _ = finish(wait(busy("c1")), NOW, FinishRequest("c1", "lease-c1"))
    with pytest.raises(NoVacantCluster):
        take(pool, NOW, Criteria("e2e", "9"), "l-9")


def test_a_job_that_waits_longer_is_served_first() -> None:
    pool = busy("c1", "c2")
    terms = WaitTerms(HOUR, connected_for=25 * MINUTE)
    pool, _ = take_or_wait(pool, NOW, Criteria("e2e", "9"), "l-9", terms, None)
    pool = give_back(wait(pool, minutes=1), "c1", 2)
    assert held(pool, "c1") is None
    pool = give_back(pool, "c2", 3)
    assert held(pool, "c2")


def test_a_job_that_has_disconnected_is_passed_over_after_a_while() -> None:
    pool, _ = take_or_wait(busy("c1"), NOW, Criteria("e2e", "9"), "l-9", WaitTerms(HOUR, connected_for=MINUTE), None)
    pool = give_back(wait(pool), "c1")
    assert held(pool, "c1") is None
    assert hold_queue.may_become_due(pool)
    assert not hold_queue.is_due(pool, NOW + MINUTE)
    assert hold_queue.is_due(pool, NOW + 2 * MINUTE)


def test_a_person_has_one_place_for_each_kind_and_keeps_it() -> None:
    pool = wait(wait(busy("c1", "c2")), by="carol", minutes=1)
    pool = wait(pool, by="BOB", minutes=2, duration=3 * HOUR)
    assert [ticket.criteria.by for ticket in queue_order.in_serving_order(pool, NOW)] == ["BOB", "carol"]
    assert pool.queue[0].hold_for == 3 * HOUR
    pool = wait(pool, cluster="c1", minutes=3)
    assert len(pool.queue) == 3


def test_a_place_can_be_given_up_and_ends_with_the_wait() -> None:
    pool = wait(busy("c1"))
    left, answer = leave(pool, NOW, pool.queue[0].id)
    assert (left.queue, left.requests) == ((), {})
    assert answer.text.endswith("is no longer waiting")
    assert len(expire(pool, NOW + 47 * HOUR).queue) == 1
    assert expire(pool, NOW + 48 * HOUR).queue == ()


def test_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(NoSuchClusterKind):
        hold_or_wait(busy("c1"), NOW, Criteria("", "", "bob", region="mars"), "bob", HoldTerms(), HOUR)


def limited(pool: Pool, job: int = 0, person: int = 0) -> Pool:
    """Return the pool with these limits for each job and person."""
    return Pool(rules=Rules(max_per_job=job, max_per_person=person)).with_clusters(pool.clusters, ())


def test_a_person_at_the_limit_waits_until_they_release_one() -> None:
    pool, _ = hold(limited(pool_with("c1", "c2"), person=1), NOW, "c1", "bob")
    with pytest.raises(LimitReached, match="bob holds 1 clusters, and one person may hold 1: c1; release one first"):
        hold(pool, NOW, "c2", "bob")
    pool = hold_queue.serve(wait(pool), NOW)
    assert held(pool, "c2") is None
    assert take(pool, NOW, Criteria("e2e", "1"), "l")[1].text == "c2"
    pool, _ = release(pool, NOW, "c1", "bob", is_admin=False)
    assert held(hold_queue.serve(pool, NOW), "c2")


def test_a_job_at_the_limit_waits_and_others_pass() -> None:
    pool = limited(pool_with("c1", "c2"), job=1)
    pool, _ = take(pool, NOW, Criteria("e2e", "1"), "l-1")
    with pytest.raises(LimitReached, match=r"e2e has 1 clusters, and one job may have 1: c1 \(e2e #1\)"):
        take(pool, NOW, Criteria("e2e", "2"), "l-2")
    terms = WaitTerms(HOUR, connected_for=MINUTE)
    pool, answer = take_or_wait(pool, NOW, Criteria("e2e", "2"), "l-2", terms, None)
    assert len(pool.queue) == 1
    assert answer.refusal
    assert take(pool, NOW, Criteria("perf", "1"), "l-3")[1].text == "c2"


def test_a_repeated_request_is_told_its_place_and_then_its_cluster() -> None:
    def repeat(pool: Pool, minutes: int = 0) -> tuple[Pool, Answer]:
        request = Request("r-1", "hash", "holdcluster")
        return hold_or_wait(pool, NOW + minutes * MINUTE, ANY, "bob", HoldTerms(), HOUR, request=request)

    pool, first = repeat(wait(busy("c1"), by="carol"))
    same, again = repeat(pool, 1)
    assert (again.place, again.ticket, again.text, again.repeated) == (2, first.ticket, first.text, True)
    assert same is pool
    served = give_back(leave(pool, NOW, hold_queue.ticket_id("carol", ANY))[0], "c1", 2)
    assert repeat(served, 3)[1].cluster is served.find("c1")
    released, _ = release(served, NOW + 4 * MINUTE, "c1", "bob", is_admin=False)
    with pytest.raises(RequestOver, match="no longer waits"):
        repeat(released, 5)


def test_the_default_purpose_is_the_same_kind_as_no_purpose() -> None:
    pool = wait(busy("c1"))
    named = Criteria("", "", "bob", purpose="tess-ci")
    pool, answer = hold_or_wait(pool, NOW, named, "bob", HoldTerms(), HOUR)
    assert (answer.place, len(pool.queue)) == (1, 1)


def test_a_ticket_for_a_cluster_ends_when_its_person_holds_it() -> None:
    pool, _ = hold(pool_with("c1"), NOW, "c1", "alice")
    pool = wait(wait(pool, cluster="c1"), by="carol", cluster="c1")
    pool, _ = hand_over(pool, NOW, "c1", "alice", is_admin=False, to="BOB")
    assert hold_queue.is_due(pool, NOW)  # so that the ticket goes, although no cluster is vacant
    pool = hold_queue.serve(pool, NOW)
    assert [ticket.criteria.by for ticket in pool.queue] == ["carol"]
    pool, _ = release(pool, NOW, "c1", "bob", is_admin=False)
    taken = held(hold_queue.serve(pool, NOW), "c1")
    assert taken
    assert taken.by == "carol"


def test_an_unused_cluster_that_is_not_lent_is_held_immediately() -> None:
    pool, _ = disable(pool_with("c1"), NOW, "c1", "root", "switch")
    wanted = Criteria("", "", "bob", cluster="c1")
    held_now, answer = hold_or_wait(pool, NOW, wanted, "bob", HoldTerms(), HOUR)
    assert (answer.place, held_now.queue) == (0, ())
    assert held(held_now, "c1")


def test_a_person_whom_a_hold_is_shared_with_can_wait_behind_it() -> None:
    pool, _ = hold(pool_with("c1"), NOW, "c1", "alice", HoldTerms(shared_with=("bob",)))
    _, answer = hold_or_wait(pool, NOW, Criteria("", "", "bob", cluster="c1"), "bob", HoldTerms(), HOUR)
    assert answer.place == 1


def test_tickets_for_a_deleted_cluster_are_dropped() -> None:
    pool = wait(busy("c1", "c2"), cluster="c1")
    pool, _ = delete(pool, NOW, "c1", "root", force=True, reason="gone")
    assert hold_queue.serve(pool, NOW).queue == ()


def test_the_history_names_the_admin_who_made_a_person_wait() -> None:
    terms = HoldTerms("debug", made_by="root")
    pool, _ = hold_or_wait(busy("c1"), NOW, Criteria("", "", "bob"), "bob", terms, HOUR)
    entry = give_back(pool, "c1").history[-1]
    assert (entry.event, entry.by, entry.get_text("newHolder")) == ("held when free", "root", "bob")
