"""Idempotency: a request with an id is carried out once, whatever has happened since."""

import dataclasses
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from cimaster.errors import RequestIdReused, RequestOver
from cimaster.pool import Answer, ClusterFacts, Criteria, FinishRequest, Pool, Request, add, finish, hold, once, take
from cimaster.pool.decisions.idempotency import BUDGET, trimmed
from cimaster.pool.records.record_lists import encode
from cimaster.pool.records.remembered_request import RememberedRequest, parse_requests, request_key

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
ASK = Criteria("e2e", "1")
TAKE = Request("r-1", "hash-1", "getvacant")


@pytest.fixture
def pool() -> Pool:
    """A pool with two vacant clusters."""
    made, _ = add(Pool(), NOW, "a", "root", ClusterFacts("us"))
    made, _ = add(made, NOW, "b", "root", ClusterFacts("us"))
    return made


def remembered(count: int, at: datetime = NOW, owner: str = "", say: str = "x" * 50) -> dict[str, RememberedRequest]:
    """Return requests that were carried out at a time, oldest first."""
    found = [RememberedRequest.new(f"{owner}-{n}", "h", "finishtest", at, "a", say, owner=owner) for n in range(count)]
    return {one.key: one for one in found}


def test_a_take_is_repeated_while_the_job_has_the_cluster(pool: Pool) -> None:
    pool, first = take(pool, NOW, ASK, "lease-1", TAKE)
    again, second = take(pool, NOW, ASK, "lease-2", TAKE)
    assert again is pool
    assert (second.text, second.lease, second.repeated) == (first.text, "lease-1", True)


def test_a_take_that_ended_is_over(pool: Pool) -> None:
    pool, _ = take(pool, NOW, ASK, "lease-1", TAKE)
    pool, _ = finish(pool, NOW, FinishRequest("a"))
    with pytest.raises(RequestOver):
        take(pool, NOW, ASK, "lease-2", TAKE)
    with pytest.raises(RequestOver):  # even if only the cluster's record remembers it
        take(Pool().with_clusters(pool.clusters, ()), NOW, ASK, "lease-2", TAKE)


def test_another_request_with_the_same_id_is_refused(pool: Pool) -> None:
    pool, _ = take(pool, NOW, ASK, "lease-1", TAKE)
    other = Request("r-1", "hash-2", "getvacant")
    with pytest.raises(RequestIdReused):
        take(pool, NOW, ASK, "lease-2", other)
    with pytest.raises(RequestIdReused):
        once(pool, NOW, Request("r-1", "hash-3", "holdcluster"), lambda: hold(pool, NOW, "b", "alice"))
    pool, _ = finish(pool, NOW, FinishRequest("a"))
    with pytest.raises(RequestIdReused):
        take(pool, NOW, ASK, "lease-2", other)


def test_a_change_is_carried_out_once(pool: Pool) -> None:
    request = Request("r-2", "h", "holdcluster")
    held, first = once(pool, NOW, request, lambda: hold(pool, NOW, "a", "alice"))
    again, second = once(held, NOW, request, lambda: pytest.fail("it was carried out twice"))
    assert again is held
    assert (second.text, second.repeated) == (first.text, True)
    assert second.cluster is held.find("a")


def test_a_change_that_was_refused_may_be_tried_again(pool: Pool) -> None:
    held, _ = hold(pool, NOW, "a", "alice")
    request = Request("r-2", "h", "holdcluster")
    with pytest.raises(Exception, match="held by alice"):
        once(held, NOW, request, lambda: hold(held, NOW, "a", "charlie"))
    assert request.key not in held.requests
    assert once(held, NOW, request, lambda: hold(held, NOW, "b", "charlie"))[1].repeated is False


def test_without_an_id_every_request_is_new(pool: Pool) -> None:
    assert once(pool, NOW, None, lambda: (pool, Answer("x"))) == (pool, Answer("x"))
    assert not pool.requests


def test_requests_are_remembered_for_an_hour() -> None:
    requests = remembered(3)
    assert trimmed(requests, NOW + timedelta(minutes=59)) == requests
    assert trimmed(requests, NOW + timedelta(minutes=61)) == {}


def test_the_newest_requests_are_remembered_if_not_all_fit() -> None:
    requests = remembered(1000)
    kept = trimmed(requests, NOW)
    assert list(kept) == list(requests)[-len(kept) :]
    assert 100 < len(kept) < 1000
    assert len(encode(kept.values())) <= BUDGET + 4


@pytest.mark.parametrize("before", [True, False])
def test_a_flood_by_one_caller_drops_only_its_own_requests(before: bool) -> None:
    flood, others = remembered(1000, owner="flood", say="x" * 500), remembered(30, owner="victim")
    kept = trimmed(others | flood if before else flood | others, NOW)
    assert others.items() <= kept.items()
    assert len(kept) > len(others)
    assert len(encode(kept.values()).encode()) <= BUDGET + 4


def test_flooding_callers_keep_equal_shares() -> None:
    kept = trimmed(remembered(500, owner="one") | remembered(500, owner="two") | remembered(500, owner="three"), NOW)
    shares = Counter(one.owner for one in kept.values()).values()
    assert (len(shares), max(shares) - min(shares) <= 1) == (3, True)
    assert BUDGET * 0.9 < len(encode(kept.values())) <= BUDGET + 4


def test_the_size_of_a_remembered_request_is_independent_of_its_id(pool: Pool) -> None:
    sizes = {
        once(pool, NOW, Request(identity, "h", "holdcluster"), lambda: hold(pool, NOW, "a", "alice"))[0]
        .requests[request_key(identity)]
        .size
        for identity in ("r", "r" * 128)
    }
    assert len(sizes) == 1


def test_requests_stored_by_an_earlier_version_are_recognized(pool: Pool) -> None:
    stored = '[{"id": "r-9", "hash": "h", "verb": "holdcluster", "at": "2026-01-02T11:59:00Z", "say": "it is held"}]'
    read = dataclasses.replace(pool, requests=parse_requests(stored))
    _, answer = once(read, NOW, Request("r-9", "h", "holdcluster"), lambda: pytest.fail("it was carried out twice"))
    assert (answer.text, answer.repeated) == ("it is held", True)
    assert parse_requests(encode(read.requests.values())) == read.requests


def test_a_take_that_ended_is_charged_to_its_taker(pool: Pool) -> None:
    pool, _ = take(pool, NOW, ASK, "lease-1", Request("r-1", "h", "getvacant", "taker"))
    pool, _ = finish(pool, NOW, FinishRequest("a"))
    others = RememberedRequest.new("r-2", "h", "finishtest", NOW, owner="taker")
    assert pool.requests[request_key("r-1")].owner == others.owner != ""
    assert "leaseOwner" not in pool.find("a").fields


def test_requests_read_back_as_they_were_written() -> None:
    requests = remembered(5)
    assert parse_requests(encode(requests.values())) == requests
    assert parse_requests(encode(())) == {}


@pytest.mark.parametrize(
    "text", ['[{"id": 5}]', "[{}]", '[{"id": "", "at": null}]', '[{"id": "a", "extra": []}]', "[5]", "[[], null]"]
)
def test_invalid_requests_raise_nothing(text: str) -> None:
    requests = trimmed(parse_requests(text), NOW)
    assert json.loads(encode(requests.values())) == json.loads(text)
    assert all(request.key for request in requests.values())


@pytest.mark.parametrize("text", ["{}", "5", "[", "nonsense"])
def test_requests_that_are_not_an_array_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_requests(text)
