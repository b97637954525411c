"""The expected wait follows from recent returns and known ends, and is left out where too little is known."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from cimaster.common.times import about
from cimaster.errors import NoVacantCluster, Queued
from cimaster.pool import (
    Answer,
    ClusterFacts,
    Criteria,
    FinishRequest,
    Pool,
    Request,
    WaitTerms,
    add,
    finish,
    hold,
    take,
    take_or_wait,
)
from cimaster.pool.decisions import queue_order
from cimaster.pool.decisions.expected_wait import expected_wait, expected_waits
from tests.stored import NOW

ANY = Criteria("e2e", "1")


def minutes(number: float) -> timedelta:
    """Return a number of minutes."""
    return timedelta(minutes=number)


def busy(names: Sequence[str], tests_take: float = 10, ttl: timedelta | None = None, tests: int = 6) -> Pool:
    """Return a pool in which each cluster was lent again and again, for so many minutes; all are occupied now."""
    pool, start = Pool(), NOW - tests * minutes(tests_take)
    for name in names:
        pool, _ = add(pool, start - minutes(1), name, "root", ClusterFacts("us"))
    for number in range(tests + 1):
        at = start + number * minutes(tests_take)
        for name in names:
            if number:
                pool, _ = finish(pool, at, FinishRequest(name, f"{name}-{number - 1}"))
            pool, _ = take(pool, at, Criteria("e2e", str(number), cluster=name, ttl=ttl), f"{name}-{number}")
    return pool


def wait(pool: Pool, identity: str, now: datetime = NOW, **criteria: Any) -> tuple[Pool, Answer]:
    """Take a cluster or wait."""
    terms = WaitTerms(timedelta(hours=5), connected_for=timedelta(seconds=25))
    wanted, request = Criteria("e2e", identity, **criteria), Request(identity, "h", "getvacant")
    return take_or_wait(pool, now, wanted, f"lease-{identity}", terms, request)


def test_the_first_caller_waits_for_one_return() -> None:
    assert expected_wait(busy(["a"]), NOW, ANY, ()) == minutes(10)
    assert expected_wait(busy(["a", "b"]), NOW, ANY, ()) == minutes(5)


def test_each_ticket_before_it_needs_a_return_too() -> None:
    pool = busy(["a", "b"])
    for identity in ("ann", "bob", "cem"):
        pool, _ = wait(pool, identity)
    assert expected_wait(pool, NOW, ANY, pool.queue) == minutes(20)
    assert expected_waits(pool, NOW) == {"ann": minutes(5), "bob": minutes(10), "cem": minutes(15)}


def test_tickets_for_other_clusters_do_not_count() -> None:
    pool = busy(["a"])
    pool, _ = add(pool, NOW, "p", "root", ClusterFacts("eu", purpose="perf"))
    pool, _ = take(pool, NOW, Criteria("load", "1", purpose="perf"), "l-p", None)
    pool, _ = wait(pool, "other", purpose="perf")
    pool, _ = wait(pool, "ann", region="us")
    assert expected_wait(pool, NOW, ANY, pool.queue) == minutes(20)
    assert expected_waits(pool, NOW) == {"ann": minutes(10)}


def test_too_little_history_gives_no_estimate() -> None:
    assert expected_wait(busy(["a"], tests=2), NOW, ANY, ()) is None
    assert expected_wait(busy(["a"], tests=4), NOW, ANY, ()) == minutes(41 / 4)  # since the cluster was added
    assert expected_wait(Pool(), NOW, ANY, ()) is None


def test_returns_of_more_than_an_hour_ago_do_not_count() -> None:
    pool = busy(["a", "b"])
    assert expected_wait(pool, NOW + timedelta(hours=2), ANY, ()) is None


def test_known_ends_limit_the_wait() -> None:
    pool = busy(["a", "b"], tests=0, ttl=minutes(40))
    assert expected_wait(pool, NOW, ANY, ()) == minutes(40)
    pool, _ = wait(wait(pool, "ann")[0], "bob")
    assert expected_wait(pool, NOW, ANY, pool.queue) is None
    held, _ = hold(busy(["a"], tests=0), NOW, "a", "alice")
    assert expected_wait(held, NOW, ANY, ()) is None  # its job, whose end is unknown, comes first


def test_vacant_clusters_are_for_the_tickets_before() -> None:
    pool = busy(["a", "b"])
    pool, _ = wait(wait(pool, "ann")[0], "bob")
    pool, _ = finish(pool, NOW + minutes(5), FinishRequest("a", "a-6"))
    wait_of_next = expected_wait(pool, NOW + minutes(5), ANY, pool.queue)
    assert wait_of_next is not None
    assert minutes(9) < wait_of_next < minutes(11)


def test_a_waiting_caller_is_told_its_place_and_expected_wait() -> None:
    pool, _ = wait(busy(["a"]), "ann")
    _, answer = wait(pool, "bob")
    assert isinstance(answer.refusal, Queued)
    assert answer.refusal.facts["expectedWait"] == 1200
    assert answer.refusal.sentence.startswith("number 2 of 2 in the queue (about 20 min) until 2026-")
    _, answer = wait(busy(["a"], tests=1), "ann")
    assert answer.refusal
    assert "expectedWait" not in answer.refusal.facts
    assert "about" not in answer.refusal.sentence


def test_a_caller_that_does_not_wait_is_told_what_waiting_would_mean() -> None:
    pool, _ = wait(wait(busy(["a"]), "ann")[0], "bob")
    place = "; 2 waiting in the queue; a caller that waits would be number 3, about 30 min"
    with pytest.raises(NoVacantCluster, match=f"{place}; try again later, or wait in the queue"):
        take(pool, NOW, ANY, "l")
    with pytest.raises(NoVacantCluster, match="; a caller that waits would be number 1; try"):
        take(busy(["a"], tests=0), NOW, ANY, "l")


def test_the_expected_waits_of_all_tickets_grow_with_their_place() -> None:
    pool = busy(["a", "b"])
    for number in range(40):
        pool, _ = wait(pool, f"r-{number}", region="us" if number % 2 else "")
    waits = expected_waits(pool, NOW)
    assert [waits[ticket.id] for ticket in queue_order.in_serving_order(pool, NOW)] == [
        minutes(5) * place for place in range(1, 41)
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than a minute"),
        (59, "less than a minute"),
        (60, "about 1 min"),
        (661, "about 12 min"),
        (3600, "about 1 h"),
    ],
)
def test_an_estimate_is_in_whole_minutes(seconds: int, words: str) -> None:
    assert about(timedelta(seconds=seconds)) == words
