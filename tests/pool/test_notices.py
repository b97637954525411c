"""Which changes and times make a notice; any stored outbox can be read, and what is written can be read back."""

import dataclasses
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimaster.pool import HoldTerms, Pool, codec, expire, extend, hold
from cimaster.pool.decisions import notices
from cimaster.pool.records.notice import NOTICE_KINDS, Notice
from cimaster.pool.records.outbox import NoticeState, Outbox
from tests.pool.test_expiry import NOW, RECORDS, pool_of

ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("2026-01-02T11:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("since"), inner, max_size=3),
    max_leaves=8,
)
CLUSTER = {"name": "cluster-01", "status": "finished"}


class Everything:
    """Routes that send every notice to one channel."""

    kinds: Sequence[str] = NOTICE_KINDS

    def destinations(self, _notice: Notice) -> list[str]:
        """Return the one channel."""
        return ["ops"]


class Nothing(Everything):
    """Routes on which no channel wants any notice that there is."""

    def destinations(self, _notice: Notice) -> list[str]:
        """Return nothing."""
        return []


def recorded(before: Pool, after: Pool, minutes: float) -> Pool:
    """Return the pool after a change, as it is stored and read, with the notices that are recorded with it."""
    now = NOW + timedelta(minutes=minutes)
    pool = notices.record(before, expire(after, now), now, Everything())
    if pool is before:
        return before
    stored, data = codec.encode(dataclasses.replace(pool, commit=pool.next_commit), now)
    read = codec.decode(data, stored.commit, stored.rules)
    assert read.outbox == Outbox(read.outbox.notices, stored.outbox.state)
    assert [notice.text for notice in read.outbox.notices] == [notice.text for notice in stored.outbox.notices]
    return read


def kinds(pool: Pool) -> list[str]:
    """Return the kinds of the recorded notices."""
    return [notice.kind for notice in pool.outbox.notices]


def looked(pool: Pool, minutes: float = 0) -> Pool:
    """Return the pool after a look that changes nothing."""
    return recorded(pool, pool, minutes)


def held(pool: Pool, minutes: float, hours: float) -> Pool:
    """Return the pool after alice has held the cluster."""
    now = NOW + timedelta(minutes=minutes)
    terms = HoldTerms(duration=timedelta(hours=hours))
    return recorded(pool, hold(pool, now, "cluster-01", "alice", terms)[0], minutes)


def test_a_hold_that_ends_soon_is_announced_once() -> None:
    pool = held(looked(pool_of(CLUSTER)), 1, 1)
    assert notices.next_due(pool) == NOW + timedelta(minutes=11)  # no cluster is vacant
    assert kinds(looked(pool, 30)) == ["none-vacant"]
    assert kinds(looked(looked(pool, 31), 32)) == ["hold-ending", "none-vacant"]
    assert kinds(looked(pool, 62)) == ["hold-ended"]  # no replica ran before: the hold has ended already


def test_a_hold_that_was_made_late_is_not_announced() -> None:
    pool = held(looked(pool_of(CLUSTER)), 1, 0.25)
    assert kinds(looked(looked(pool, 2), 10)) == []


def test_an_extended_hold_is_announced_before_its_new_end() -> None:
    pool = looked(held(looked(pool_of(CLUSTER)), 1, 1), 31)
    assert kinds(pool).count("hold-ending") == 1
    extended, _ = extend(pool, NOW + timedelta(minutes=40), "cluster-01", "alice", timedelta(hours=2))
    pool = recorded(pool, extended, 40)
    assert kinds(looked(pool, 90)).count("hold-ending") == 1
    assert kinds(looked(pool, 91)).count("hold-ending") == 2


def test_a_time_that_no_channel_wants_does_not_stay_due() -> None:
    pool = held(looked(pool_of(CLUSTER)), 1, 1)
    later = NOW + timedelta(minutes=31)
    seen = notices.record(pool, pool, later, Nothing())
    assert seen.outbox.notices == ()
    assert notices.next_due(seen) is None
    assert notices.record(seen, seen, later, Nothing()) is seen


def test_without_channels_the_pool_stays_the_same() -> None:
    pool = pool_of(CLUSTER)
    assert notices.record(pool, pool, NOW, notices.NoRoutes()) is pool


def test_a_look_that_finds_nothing_writes_nothing() -> None:
    pool = looked(pool_of(CLUSTER))
    assert looked(pool, 5) is pool


def test_a_wrong_clock_makes_no_time_due() -> None:
    pool = held(looked(pool_of(CLUSTER)), 1, 1)
    later = NOW + timedelta(minutes=40)
    assert notices.record(pool, pool, later, Everything(), clock_is_right=False) is pool


@given(RECORDS, st.integers(-1000, 1000))
def test_any_cluster_can_have_notices(record: dict[str, Any], minutes: int) -> None:
    pool = looked(pool_of(record))
    later = looked(pool, minutes)
    due, looked_until = notices.next_due(later), later.outbox.state.looked_until
    assert looked_until
    assert due is None or due > looked_until
    assert looked(later, minutes) is later


@given(ODD | st.lists(st.fixed_dictionaries({"id": st.just("n1"), "kind": st.just("quarantined"), "sendTo": ODD})), ODD)
def test_any_stored_outbox_can_be_read_and_is_kept(outbox: Any, state: Any) -> None:
    data = {"cluster.json": "[]", codec.NOTICES: json.dumps(outbox), codec.NOTICE_STATE: json.dumps(state)}
    pool = codec.decode(data, 1, Pool().rules)
    _, written = codec.encode(looked(pool), NOW)
    if isinstance(outbox, list):
        assert json.loads(written.get(codec.NOTICES, "[]")) == outbox
    else:
        assert json.loads(written["notices.json.unreadable"]) == outbox


@pytest.mark.parametrize("text", ["{", "", '{"channels": {"ops": 7}}', "[" * 200 + "]" * 200])
def test_a_broken_state_counts_as_empty(text: str) -> None:
    pool = codec.decode({"cluster.json": "[]", codec.NOTICE_STATE: text}, 1, Pool().rules)
    assert pool.outbox.state.looked_until is None
    assert pool.outbox.state.shortages == {}
    assert pool.outbox.channel("ops") == NoticeState().channels.get("ops", pool.outbox.channel("other"))
