"""Records change when time passes and after manual edits, and always reach a stable state."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.common.times import format_time
from cimaster.pool import Criteria, FinishRequest, Pool, Rules, expire, finish, hold, release, take
from cimaster.pool.records.cluster import BROKEN, Cluster
from cimaster.pool.records.lease import HOLD_FIELDS, LEASE_FIELDS
from cimaster.pool.records.remembered_request import hash_of_parameters, request_key

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
TIMES = st.integers(-100, 100).map(lambda hours: format_time(NOW + timedelta(hours=hours)))
ODD = st.sampled_from(["", "garbage", None, 5, "1h"])
RECORDS = st.fixed_dictionaries(
    {"name": st.just("cluster-01"), "status": st.sampled_from(["finished", "testing"])},
    optional={
        "lastJob": st.sampled_from(["e2e", "", None]),
        "lastBuild": st.sampled_from(["1", "", None]),
        "hold": st.sampled_from([True, False, None]),
        "disabled": st.booleans(),
        "leaseId": st.just("l") | ODD,
        "leaseJob": st.just("e2e") | ODD,
        "leaseBuild": st.just("1") | ODD,
        "acquiredAt": TIMES | ODD,
        "leaseExpires": TIMES | ODD,
        "leaseTtl": st.just("1h") | ODD,
        "requestId": st.just("r") | ODD,
        "requestHash": st.just("h") | ODD,
        "holdBy": st.just("alice") | ODD,
        "heldAt": TIMES | ODD,
        "holdExpires": TIMES | ODD,
        "holdFor": st.just("2h") | ODD,
        "vacantSince": TIMES | ODD,
        "endedLeases": st.just([{"id": "x", "how": "finished"}]) | ODD,
    },
)


def pool_of(*records: dict[str, Any]) -> Pool:
    """Return a pool with these records, as read from a store."""
    return Pool().with_clusters(tuple(Cluster(json.dumps(record), record) for record in records), ())


def only(pool: Pool) -> Cluster:
    """Return the one cluster of a pool."""
    return pool.clusters[0]


@given(RECORDS)
def test_any_record_reaches_a_stable_state(record: dict[str, Any]) -> None:
    settled = expire(pool_of(record), NOW)
    assert settled.due is None or settled.due > NOW
    assert expire(settled, NOW) is settled
    again = pool_of(json.loads(only(settled).text))
    assert again.due == settled.due


@given(RECORDS)
def test_only_expired_leases_and_holds_end(record: dict[str, Any]) -> None:
    before, after = only(pool_of(record)), only(expire(pool_of(record), NOW))
    assert after.state != BROKEN
    assert after.disabled == before.disabled
    if before.lease and not (before.lease.expires and before.lease.expires <= NOW):
        assert after.lease
    if before.hold and not before.hold.expires:
        assert after.hold
    if not before.lease:
        assert not set(LEASE_FIELDS) & after.fields.keys()
    if not before.hold:
        assert not set(HOLD_FIELDS) & after.fields.keys()


@given(RECORDS)
def test_a_settled_record_can_be_lent_held_and_given_back(record: dict[str, Any]) -> None:
    pool = expire(pool_of(record), NOW)
    if only(pool).lease:
        pool, _ = finish(pool, NOW, FinishRequest("cluster-01"))
    if only(pool).hold:
        pool, _ = release(pool, NOW, "cluster-01", "root", True)
    assert not only(pool).held
    if only(pool).disabled:
        return
    pool, answer = take(pool, NOW, Criteria("e2e", "2"), "lease-2")
    pool, _ = hold(pool, NOW, "cluster-01", "bob")
    pool, _ = finish(pool, NOW, FinishRequest("cluster-01", lease=answer.lease))
    pool, _ = release(pool, NOW, "cluster-01", "bob", False)
    assert only(pool).state == "vacant"
    assert only(pool).ended_leases[0].has_id("lease-2")
    assert json.loads(only(pool).text) == only(pool).fields


@given(RECORDS, st.integers(0, 200))
def test_every_hold_and_every_lease_with_an_end_expires(record: dict[str, Any], hours: int) -> None:
    pool = expire(pool_of(record), NOW)
    later = NOW + timedelta(hours=hours)
    while pool.due and pool.due <= later:
        due = pool.due
        pool = expire(pool, due)
        assert pool.due is None or pool.due > due
    left = only(pool)
    assert not (left.lease and left.lease.expires and left.lease.expires <= later)
    assert not (left.hold and left.hold.expires and left.hold.expires <= later)


def test_decisions_do_not_modify_their_pool() -> None:
    pool = pool_of({"name": "cluster-01", "status": "finished"})
    text = only(pool).text
    take(pool, NOW, Criteria("e2e", "1"), "lease-1")
    hold(pool, NOW, "cluster-01", "alice")
    assert only(pool).text == text
    assert pool.history == ()


def test_an_old_style_lease_and_hold_get_only_their_times() -> None:
    text = '{"name": "a", "status": "testing", "lastJob": "e2e", "lastBuild": "1", "hold": true}'
    settled = only(expire(pool_of(json.loads(text)), NOW))
    added = {key: value for key, value in settled.fields.items() if key not in json.loads(text)}
    at = "2026-01-02T12:00:00Z"
    assert added == {"acquiredAt": at, "leaseJob": "e2e", "leaseBuild": "1", "heldAt": at, "holdFor": "6h"}


def test_expiry_is_recorded_in_the_history() -> None:
    past = format_time(NOW - timedelta(minutes=1))
    record = {
        "name": "a",
        "status": "testing",
        "lastJob": "e2e",
        "lastBuild": "1",
        "leaseId": "l",
        "leaseJob": "e2e",
        "leaseBuild": "1",
        "acquiredAt": past,
        "leaseExpires": past,
        "requestId": "r",
        "requestHash": "h",
    }
    pool = expire(pool_of(record), NOW)
    assert [entry.event for entry in pool.history] == ["lease ended"]
    assert only(pool).ended_leases[0].how == "expired"
    assert pool.requests[request_key("r")].hash == hash_of_parameters("h")


def test_a_record_that_cannot_expire_is_the_only_broken_one() -> None:
    pool = pool_of({"name": "a", "status": "finished", "hold": True}, {"name": "b", "status": "testing"})
    endless = dataclasses.replace(pool, rules=Rules(hold=timedelta(days=999_999_999)))
    settled = expire(endless, NOW)
    broken, other = settled.clusters
    assert (broken.state, broken.text) == (BROKEN, pool.clusters[0].text)
    assert "OverflowError" in broken.fault
    assert other.fields["acquiredAt"] == "2026-01-02T12:00:00Z"
    assert expire(settled, NOW) is settled


@pytest.mark.parametrize(
    ("edits", "error"),
    [
        ({"lastJob": 5}, "lastJob"),
        ({"lastJob": "\ud800"}, "lastJob"),
        ({"hold": 1}, "hold"),
        ({"leaseId": "x\r\nY: 1"}, "leaseId"),
        ({"holdExpires": "30.11.2026"}, "holdExpires"),
        ({"holdExpires": "9999-12-31T23:59:59Z"}, "holdExpires"),
        ({"holdFor": "99999999d"}, "holdFor"),
    ],
)
def test_no_decision_can_write_an_unreadable_value(edits: dict[str, Any], error: str) -> None:
    with pytest.raises(TypeError, match=error):
        only(pool_of({"name": "a", "status": "finished"})).edited(**edits)
