"""Waiting callers are served in order: none is overtaken or lost, and none blocks the others for long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.errors import (
    ClusterNotVacant,
    NoSuchClusterKind,
    NotCurrent,
    NoVacantCluster,
    Queued,
    RequestIdReused,
    RequestOver,
)
from cimaster.pool import (
    Answer,
    ClusterFacts,
    Criteria,
    FinishRequest,
    Pool,
    Request,
    WaitTerms,
    add,
    cancel,
    codec,
    delete,
    expire,
    finish,
    hold_any,
    leave,
    mark_disconnected,
    once,
    take,
    take_or_wait,
)
from cimaster.pool.decisions import queue_order
from cimaster.pool.decisions.leases import finish as give_back
from cimaster.pool.records.ticket import PRIORITIES, poll_ticket_id

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
CONNECTED = timedelta(seconds=25)


def after(**duration: float) -> datetime:
    """Return the time this long after NOW."""
    return NOW + timedelta(**duration)


def pool_of(*names: str, **facts: Any) -> Pool:
    """Return a pool with vacant clusters."""
    pool = Pool()
    for name in names:
        pool, _ = add(pool, NOW, name, "root", ClusterFacts("us", **facts))
    return pool


def occupied(*names: str) -> Pool:
    """Return a pool with occupied clusters."""
    pool = pool_of(*names)
    for name in names:
        pool, _ = take(pool, NOW, Criteria("e2e", f"of {name}", cluster=name), f"l-{name}")
    return pool


def free(pool: Pool, name: str, now: datetime = NOW) -> Pool:
    """Give a cluster back."""
    pool, _ = finish(pool, now, FinishRequest(name, f"l-{name}"))
    return pool


def wait(
    pool: Pool,
    who: str,
    now: datetime = NOW,
    wait: timedelta = timedelta(minutes=30),
    priority: str = "normal",
    connected: timedelta = CONNECTED,
    job: str = "e2e",
    owner: str = "",
    **criteria: Any,
) -> tuple[Pool, Answer]:
    """Take a cluster or wait, under a request id that is the caller's name."""
    wanted = Criteria(job, who, who, **criteria)
    terms = WaitTerms(wait, priority, connected, owner=owner)
    return take_or_wait(pool, now, wanted, f"lease-{who}", terms, Request(who, "h", "getvacant", owner))


def poll(pool: Pool, who: str, now: datetime = NOW, interval: float = 10) -> tuple[Pool, Answer]:
    """Take a cluster as a legacy script that polls."""
    return take_or_wait(
        pool, now, Criteria("old", who), f"lease-{who}", WaitTerms(reserved_for=timedelta(seconds=interval))
    )


def waiting_builds(pool: Pool, now: datetime = NOW) -> list[str]:
    """Return the waiting builds in serving order."""
    return [ticket.criteria.build for ticket in queue_order.in_serving_order(pool, now)]


def test_a_refused_take_gets_a_ticket_and_the_next_cluster() -> None:
    pool, answer = wait(occupied("a"), "ann")
    assert isinstance(answer.refusal, Queued)
    assert (answer.text, answer.refusal.facts["place"], answer.refusal.retry_after) == ("", 1, 1)
    pool, answer = wait(free(pool, "a"), "ann", after(seconds=70))
    assert (answer.text, answer.refusal, answer.waited) == ("a", None, 70)
    assert pool.queue == ()
    assert pool.history[-1].get_text("waited") == "70s"


def test_a_take_without_a_ticket_cannot_jump_the_queue() -> None:
    pool = free(wait(occupied("a"), "ann")[0], "a")
    with pytest.raises(NoVacantCluster, match=r"1 reserved for waiting callers.*; 1 waiting in the queue"):
        take(pool, NOW, Criteria("e2e", "eve"), "l")
    with pytest.raises(NoVacantCluster):
        take(pool, NOW, Criteria("e2e", "eve", cluster="a"), "l")
    with pytest.raises(NoVacantCluster):
        hold_any(pool, NOW, Criteria("", ""), "eve")


def test_a_take_gets_clusters_that_no_ticket_reserves() -> None:
    pool = occupied("a", "b")
    pool = free(free(wait(pool, "ann")[0], "a"), "b", after(seconds=1))
    assert take(pool, after(seconds=2), Criteria("e2e", "eve"), "l")[1].text == "b"


def test_a_cluster_that_matches_no_ticket_is_lent_immediately() -> None:
    pool = wait(occupied("a"), "ann")[0]
    pool, _ = add(pool, NOW, "p", "root", ClusterFacts("us", purpose="perf"))
    assert take(pool, NOW, Criteria("e2e", "eve", purpose="perf"), "l")[1].text == "p"


def test_tickets_are_served_in_order_of_arrival() -> None:
    pool = occupied("a", "b")
    for who in ("ann", "bob", "cem"):
        pool = wait(pool, who)[0]
    pool = free(free(pool, "a"), "b", after(seconds=1))
    assert wait(pool, "cem", after(seconds=2))[1].refusal
    pool, answer = wait(pool, "bob", after(seconds=2))
    assert answer.text == "b"
    assert wait(pool, "ann", after(seconds=2))[1].text == "a"


def test_priority_precedes_arrival_and_rises_every_ten_minutes() -> None:
    pool = occupied("a")
    pool = wait(pool, "low", priority="low")[0]
    pool = wait(pool, "normal", after(minutes=1))[0]
    pool = wait(pool, "high", after(minutes=2), priority="high")[0]
    assert waiting_builds(pool, after(minutes=2)) == ["high", "normal", "low"]
    assert waiting_builds(pool, after(minutes=10)) == ["high", "low", "normal"]
    assert waiting_builds(pool, after(minutes=11)) == ["normal", "high", "low"]
    pool = wait(pool, "late", after(minutes=21), priority="high")[0]
    assert waiting_builds(pool, after(minutes=21)) == ["normal", "high", "low", "late"]


def test_a_new_ticket_of_higher_priority_is_served_first() -> None:
    pool = free(wait(occupied("a"), "ann")[0], "a")
    assert wait(pool, "urgent", priority="high")[1].text == "a"


def test_a_ticket_for_a_named_cluster_gets_that_cluster() -> None:
    pool = wait(occupied("a", "b"), "ann", cluster="b")[0]
    pool = free(pool, "a")
    assert take(pool, NOW, Criteria("e2e", "eve"), "l")[1].text == "a"
    assert wait(free(pool, "b"), "ann", cluster="b")[1].text == "b"


def test_a_ticket_that_matches_no_vacant_cluster_blocks_no_other() -> None:
    pool, _ = add(occupied("a"), NOW, "p", "root", ClusterFacts("us", purpose="perf"))
    pool, _ = take(pool, NOW, Criteria("e2e", "0", purpose="perf"), "l-p")
    pool = wait(wait(pool, "perf", purpose="perf")[0], "ann")[0]
    assert wait(free(pool, "a"), "ann")[1].text == "a"


def test_waiting_for_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(NoSuchClusterKind):
        wait(occupied("a"), "ann", region="mars")


def test_a_cluster_stays_reserved_for_five_seconds_between_requests() -> None:
    pool = wait(wait(occupied("a"), "ann")[0], "bob", after(seconds=1))[0]
    pool = free(pool, "a", after(seconds=2))
    assert wait(pool, "bob", after(seconds=30))[1].refusal
    assert wait(pool, "bob", after(seconds=31))[1].text == "a"


def test_a_disconnected_waiter_keeps_its_place_and_blocks_no_other() -> None:
    pool = wait(wait(occupied("a"), "ann")[0], "bob")[0]
    pool = free(mark_disconnected(pool, after(seconds=3), "ann", timedelta(seconds=22))[0], "a", after(seconds=4))
    assert waiting_builds(pool) == ["ann", "bob"]
    assert wait(pool, "bob", after(seconds=8))[1].refusal
    assert wait(pool, "bob", after(seconds=9))[1].text == "a"
    assert wait(pool, "ann", after(seconds=9))[1].text == "a"


def test_a_ticket_connected_implausibly_long_reserves_no_cluster() -> None:
    pool, _ = take_or_wait(
        occupied("c1"),
        NOW,
        Criteria("e2e", "1"),
        "l-1",
        WaitTerms(timedelta(hours=1), connected_for=CONNECTED),
        Request("r-1", "h", "getvacant"),
    )
    spoilt = queue_order.put(free(pool, "c1"), pool.queue[0].connected(after(days=9000), timedelta(seconds=5)))
    _, answer = take(spoilt, after(seconds=1), Criteria("e2e", "2"), "l-2")
    assert answer.text == "c1"


def test_a_ticket_is_dropped_after_ninety_seconds_without_connection() -> None:
    pool = wait(occupied("a"), "ann")[0]
    assert expire(pool, after(seconds=114)).queue
    gone = expire(pool, after(seconds=115))
    assert (gone.queue, gone.due) == ((), None)


def test_the_pool_knows_when_a_ticket_is_dropped() -> None:
    pool = wait(occupied("a"), "ann")[0]
    assert pool.due == after(seconds=115)
    again, _ = wait(pool, "ann", after(seconds=25))
    assert again.due is not None
    assert expire(again, again.due).due == after(seconds=140)


def test_a_wait_that_is_over_leaves_no_ticket() -> None:
    pool = wait(occupied("a"), "ann", wait=timedelta(minutes=1))[0]
    pool, answer = wait(pool, "ann", after(seconds=59), wait=timedelta(minutes=1))
    assert isinstance(answer.refusal, Queued)
    pool, answer = wait(pool, "ann", after(minutes=1), wait=timedelta(minutes=1))
    assert isinstance(answer.refusal, NoVacantCluster)
    assert pool.queue == ()
    with pytest.raises(NoVacantCluster, match="the wait was over"):
        wait(free(pool, "a"), "ann", after(minutes=2), wait=timedelta(minutes=1))


def test_a_wait_for_one_cluster_ends_in_the_same_way() -> None:
    pool = wait(occupied("a"), "ann", wait=timedelta(minutes=1), cluster="a")[0]
    _, answer = wait(pool, "ann", after(minutes=1), wait=timedelta(minutes=1), cluster="a")
    assert isinstance(answer.refusal, NoVacantCluster)
    assert answer.refusal.sentence.startswith("a is not vacant")


def test_a_ticket_whose_kind_was_removed_is_refused_and_ends() -> None:
    pool = wait(occupied("a"), "ann")[0]
    pool, _ = delete(pool, NOW, "a", "root", force=True, reason="gone")
    pool, answer = wait(pool, "ann", after(seconds=1))
    assert isinstance(answer.refusal, NoSuchClusterKind)
    assert pool.queue == ()


def test_a_late_disconnect_does_not_affect_a_newer_connection() -> None:
    pool = wait(wait(occupied("a"), "ann")[0], "ann", after(seconds=20))[0]
    same, _ = mark_disconnected(pool, after(seconds=21), "ann", timedelta(seconds=4))
    assert same is pool
    away, _ = mark_disconnected(pool, after(seconds=21), "ann", timedelta(seconds=24))
    assert not away.queue[0].is_present(after(seconds=27))


def test_a_known_connection_is_not_written_again() -> None:
    pool, _ = wait(occupied("a"), "ann")
    same, answer = wait(pool, "ann", after(seconds=10), connected=timedelta(seconds=15))
    assert same is pool
    assert isinstance(answer.refusal, Queued)


def test_the_same_request_gets_its_cluster_again_and_no_second_one() -> None:
    pool = wait(occupied("a", "b"), "ann")[0]
    pool, _ = wait(free(pool, "a"), "ann")
    again, answer = wait(free(pool, "b"), "ann")
    assert (answer.text, answer.repeated) == ("a", True)
    pool, _ = give_back(again, NOW, FinishRequest("a", "lease-ann"))
    with pytest.raises(RequestOver, match="granted"):
        wait(pool, "ann")


def test_a_request_id_that_waits_is_for_one_request() -> None:
    pool = wait(occupied("a"), "ann")[0]
    with pytest.raises(RequestIdReused):
        take_or_wait(
            pool, NOW, Criteria("e2e", "x"), "l", WaitTerms(timedelta(minutes=1)), Request("ann", "other", "getvacant")
        )


class TestScriptsThatPoll:
    """Legacy scripts, which poll without the parameter `wait`."""

    def test_a_repeated_take_is_refused_and_gets_a_place(self) -> None:
        pool, answer = poll(occupied("a"), "1")
        assert isinstance(answer.refusal, NoVacantCluster)
        assert answer.refusal.facts["place"] == 1
        with pytest.raises(NoVacantCluster):
            take(free(pool, "a"), after(seconds=5), Criteria("e2e", "eve"), "l")
        assert poll(free(pool, "a"), "1", after(seconds=5))[1].text == "a"

    def test_a_polling_script_keeps_its_place_among_the_tickets(self) -> None:
        pool = wait(poll(wait(occupied("a"), "ann")[0], "1")[0], "bob")[0]
        assert waiting_builds(pool) == ["ann", "1", "bob"]

    def test_a_cluster_stays_reserved_for_the_polling_interval(self) -> None:
        pool = poll(occupied("a"), "1")[0]
        pool = poll(pool, "1", after(seconds=40))[0]
        pool = free(pool, "a", after(seconds=41))
        with pytest.raises(NoVacantCluster):
            take(pool, after(seconds=80), Criteria("e2e", "eve"), "l")
        assert take(pool, after(seconds=91), Criteria("e2e", "eve"), "l")[1].text == "a"

    def test_a_cluster_stays_reserved_for_a_minute_at_most(self) -> None:
        pool = poll(occupied("a"), "1")[0]
        pool = free(poll(pool, "1", after(seconds=85))[0], "a", after(seconds=86))
        assert take(pool, after(seconds=85 + 66), Criteria("e2e", "eve"), "l")[1].text == "a"

    def test_frequent_polls_are_not_all_written(self) -> None:
        pool = poll(occupied("a"), "1")[0]
        assert poll(pool, "1", after(seconds=1.5))[0] is pool

    def test_different_criteria_are_different_tickets(self) -> None:
        variants = [
            Criteria("old", "1"),
            Criteria("old", "2"),
            Criteria("old", "1", ttl=timedelta(hours=1)),
            Criteria("old", "1", labels={"a": "b"}),
        ]
        assert len({poll_ticket_id(criteria) for criteria in variants}) == 4
        pairs = [{"a": "1", "b": "2"}, {"b": "2", "a": "1"}]
        assert len({poll_ticket_id(Criteria("old", "1", labels=labels)) for labels in pairs}) == 1
        assert poll_ticket_id(Criteria("old", "1")) == poll_ticket_id(Criteria("old", "1"))


class TestLeaving:
    """A caller that gives up leaves the queue, so that the next one is served immediately."""

    def test_leaving_frees_the_place_and_ends_the_request(self) -> None:
        pool = wait(wait(occupied("a"), "ann")[0], "bob")[0]
        pool, answer = leave(pool, NOW, "ann")
        assert "is no longer waiting" in answer.text
        assert wait(free(pool, "a"), "bob")[1].text == "a"
        with pytest.raises(RequestOver, match="removed from the queue"):
            wait(pool, "ann")

    def test_a_cluster_that_was_just_served_goes_back(self) -> None:
        pool, _ = wait(free(wait(occupied("a"), "ann")[0], "a"), "ann")
        pool, answer = leave(pool, after(seconds=59), "ann")
        assert "a, which is given back" in answer.text
        assert pool.find("a").state == "vacant"
        with pytest.raises(RequestOver):
            wait(pool, "ann", after(seconds=59))

    def test_a_cluster_that_was_served_long_ago_stays_with_its_job(self) -> None:
        pool, _ = wait(free(wait(occupied("a"), "ann")[0], "a"), "ann")
        with pytest.raises(NotCurrent, match="finishtest"):
            leave(pool, after(seconds=61), "ann")

    def test_another_person_can_cancel_a_ticket_but_not_take_a_cluster(self) -> None:
        pool = wait(occupied("a"), "ann")[0]
        cancelled, _ = cancel(pool, NOW, "ann", "bob")
        assert cancelled.queue == ()
        with pytest.raises(RequestOver, match="the request was removed from the queue by bob"):
            wait(cancelled, "ann")
        served, _ = wait(free(pool, "a"), "ann")
        with pytest.raises(NotCurrent, match="is no longer waiting"):
            cancel(served, NOW, "ann", "bob")

    def test_leaving_without_a_ticket_is_allowed(self) -> None:
        pool = occupied("a")
        remaining, answer = leave(pool, NOW, "unknown")
        assert answer.text == "request unknown is not waiting"
        assert leave(remaining, NOW, "unknown")[0] is remaining

    def test_a_request_that_arrives_after_leaving_is_over(self) -> None:
        pool, _ = leave(pool_of("a"), NOW, "ann")
        with pytest.raises(RequestOver, match="removed from"):
            wait(pool, "ann")
        with pytest.raises(RequestIdReused):
            once(pool, NOW, Request("ann", "h", "finishtest"), lambda: (pool, Answer("done")))

    def test_leaving_does_not_change_a_request_that_is_over(self) -> None:
        pool, _ = wait(pool_of("a"), "ann")
        pool, _ = give_back(pool, NOW, FinishRequest("a", "lease-ann"))
        remaining, _ = leave(pool, NOW, "ann")
        with pytest.raises(RequestOver, match="granted"):
            wait(remaining, "ann")


def test_the_queue_is_stored_and_read_back() -> None:
    wanted: dict[str, Any] = {"region": "us", "labels": {}, "ttl": timedelta(hours=2)}
    pool = poll(wait(occupied("a"), "ann", priority="high", **wanted)[0], "1")[0]
    stored, data = codec.encode(pool, NOW)
    read = codec.decode(data, 1, stored.rules)
    assert [ticket.fields for ticket in read.queue] == [ticket.fields for ticket in pool.queue]
    assert (
        read.queue[0].criteria
        == pool.queue[0].criteria
        == Criteria("e2e", "ann", "ann", region="us", ttl=timedelta(hours=2))
    )
    assert read.due == pool.due
    empty, _ = leave(leave(read, NOW, "ann")[0], NOW, read.queue[1].id)
    assert codec.TICKETS not in codec.encode(empty, NOW)[1]


ODD = ['"here": "9999-12-31T23:59:59Z"', '"since": "0001-01-01T00:00:00Z"', '"keeps": "999999999d"']


@pytest.mark.parametrize("text", ["{", "7"])
def test_an_unreadable_queue_becomes_empty(text: str) -> None:
    _, data = codec.encode(occupied("a"), NOW)
    assert codec.decode({**data, codec.TICKETS: text, codec.QUEUE: text}, 1, Pool().rules).queue == ()


@pytest.mark.parametrize(
    "odd", ["1", '{"priority": "high"}', '{"id": "a\\nb"}', '{"id": "\\ud800"}', "[" * 990 + "]" * 990]
)
def test_a_broken_ticket_is_kept_and_does_not_affect_others(odd: str) -> None:
    _, data = codec.encode(wait(occupied("a"), "ann")[0], NOW)
    text = data[codec.TICKETS].replace("\n]", f",\n{odd}\n]")
    read = expire(codec.decode({**data, codec.TICKETS: text}, 1, Pool().rules), after(seconds=20))
    assert codec.encode(read, NOW)[1][codec.TICKETS] == text
    assert [bool(ticket.fault) for ticket in queue_order.in_serving_order(read, NOW)] == [False, True]
    assert [ticket.id for ticket in queue_order.reservations(free(read, "a"), NOW).values()] == ["ann"]
    assert [ticket.id for ticket in leave(read, NOW, read.queue[1].id)[0].queue] == ["ann"]


@pytest.mark.parametrize("odd", ODD)
def test_an_impossible_time_in_a_ticket_is_ignored(odd: str) -> None:
    _, data = codec.encode(occupied("a"), NOW)
    now = '"since": "2026-01-02T12:00:00Z", "here": "2026-01-02T12:00:10Z"'
    read = codec.decode({**data, codec.QUEUE: f'[{{"id": "r", {now}, {odd}}}]'}, 1, Pool().rules)
    (ticket,) = read.queue
    assert not ticket.fault
    assert len(ticket.unreadable) == 1
    expire(read, NOW)


@pytest.mark.parametrize("member", ["p", "s", "u", "c", "k", "j", "ask", "h"])
def test_a_ticket_corrupted_by_hand_raises_nothing(member: str) -> None:
    pool = poll(wait(occupied("a"), "ann", priority="high", region="us")[0], "script")[0]
    assert f'"{member}":' in pool.queue.text
    spoilt = pool.queue.text.replace(f'"{member}":', f'"{member}": [], "was-{member}":')
    with_it = codec.decode({**codec.encode(pool, NOW)[1], codec.TICKETS: spoilt}, 1, pool.rules)
    freed = free(with_it, "a")
    assert queue_order.in_serving_order(freed, NOW)
    assert take(freed, after(minutes=5), Criteria("e2e", "eve"), "l")[1].text == "a"
    assert any('"was-' in ticket.connected(NOW, CONNECTED).text for ticket in with_it.queue)


KINDS: list[dict[str, Any]] = [{}, {"region": "us"}, {"region": "eu"}, {"cluster": "a"}]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["wait", "wait", "poll", "take", "free", "free", "away", "leave"]),
        st.integers(0, 5),
        st.sampled_from(KINDS),
        st.sampled_from(PRIORITIES),
        st.sampled_from([0, 1, 3, 10, 300]),
    ),
    min_size=20,
    max_size=40,
)


@given(STEPS)
def test_no_ticket_is_overtaken_and_no_cluster_reserved_in_vain(
    steps: list[tuple[str, int, dict[str, Any], str, int]],
) -> None:
    pool, now = occupied("a", "b"), NOW
    pool, _ = add(pool, NOW, "c", "root", ClusterFacts("eu"))
    leases = {name: f"l-{name}" for name in "ab"}
    for number, (step, who, kind, priority, seconds) in enumerate(steps):
        now += timedelta(seconds=seconds)
        pool = expire(pool, now)
        before, wanted = pool, Criteria("e2e", str(who), **kind)
        try:
            if step == "wait":
                terms = WaitTerms(timedelta(minutes=5), priority, CONNECTED)
                request = Request(f"r-{who}", f"{kind}{priority}", "getvacant")
                pool, answer = take_or_wait(pool, now, wanted, f"lease-{number}", terms, request)
            elif step == "poll":
                pool, answer = take_or_wait(pool, now, wanted, f"lease-{number}", WaitTerms())
            elif step == "take":
                pool, answer = take(pool, now, wanted, f"lease-{number}")
            elif step == "free":
                name = "abc"[who % 3]
                pool, answer = finish(pool, now, FinishRequest(name, leases.get(name, "none")))
            else:
                gone = timedelta(seconds=seconds)
                pool, answer = (
                    mark_disconnected(pool, now, f"r-{who}", gone) if step == "away" else leave(pool, now, f"r-{who}")
                )
        except (NoVacantCluster, ClusterNotVacant, RequestIdReused, RequestOver, NotCurrent):
            assert pool is before
            continue
        if answer.lease and step in ("wait", "poll", "take") and not answer.repeated:
            leases[answer.text] = answer.lease
            _check_turn(
                before, now, answer.text, f"r-{who}" if step == "wait" else poll_ticket_id(wanted), step, priority
            )
    kept = queue_order.reservations(pool, now)
    assert all(pool.find(name).state == "vacant" and t.criteria.matches(pool.find(name)) for name, t in kept.items())
    assert len({ticket.id for ticket in kept.values()}) == len(kept)
    assert all(ticket.is_present(now) for ticket in kept.values())
    assert len({ticket.id for ticket in pool.queue}) == len(pool.queue)


def _check_turn(before: Pool, now: datetime, cluster: str, own: str, step: str, priority: str) -> None:
    """Check that each connected caller ahead of the served one that matches its cluster can have another vacant one."""
    known = queue_order.find(before, own)
    level = known.rank(now) if known else PRIORITIES.index(priority if step == "wait" else "normal")
    order = [ticket.id for ticket in before.queue]
    ahead = [
        ticket
        for ticket in sorted(before.queue, key=lambda ticket: ticket.rank(now), reverse=True)
        if ticket.id != own
        and ticket.is_present(now)
        and (
            (step == "take")
            or ticket.rank(now) > level
            or (ticket.rank(now) == level and (known is None or order.index(ticket.id) < order.index(own)))
        )
    ]
    remaining = [c for c in before.vacant if c.name != cluster]
    for ticket in ahead:
        if ticket.criteria.matches(before.find(cluster)):
            mine = next((c for c in remaining if ticket.criteria.matches(c)), None)
            assert mine, f"{ticket.id} was overtaken by {own}"
        else:
            mine = next((c for c in remaining if ticket.criteria.matches(c)), None)
        if mine:
            remaining.remove(mine)
