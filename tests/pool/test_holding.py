"""Extending, taking over and handing over never move the end of a hold to an earlier time, whatever is stored."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cimaster.errors import Refusal
from cimaster.pool import expire, extend, hand_over, take_over
from tests.pool.test_expiry import NOW, RECORDS, only, pool_of

UNTIL = st.integers(-100, 1000).map(lambda hours: NOW + timedelta(hours=hours)) | st.integers(1, 100).map(
    lambda hours: timedelta(hours=hours)
)


@given(RECORDS, UNTIL)
def test_an_extension_never_shortens_and_its_repeat_changes_nothing(record: dict[str, Any], until: Any) -> None:
    pool = expire(pool_of(record | {"hold": True, "holdBy": "alice"}), NOW)
    before = only(pool).hold
    if before is None:  # it ended
        return
    with suppress(Refusal):
        pool, _ = extend(pool, NOW, "cluster-01", "alice", until)
        after = only(pool).hold
        assert after
        if before.expires:
            assert after.expires
            assert after.expires >= before.expires
            assert after.expires - (before.since or NOW) <= max(
                pool.rules.max_hold + timedelta(seconds=1), before.expires - (before.since or NOW)
            )
        assert extend(pool, NOW, "cluster-01", "alice", until)[0] is pool


@given(RECORDS, st.sampled_from(["alice", "bob", "root"]))
def test_a_hold_that_changes_hands_keeps_its_end(record: dict[str, Any], to: str) -> None:
    pool = expire(pool_of(record), NOW)
    held, holder = only(pool).hold, only(pool).fields.get("holdBy")
    if held is None:
        return
    handed, _ = hand_over(pool, NOW, "cluster-01", "root", True, to)
    assert only(handed).hold
    assert only(handed).fields.get("holdExpires") == only(pool).fields.get("holdExpires")
    taken, _ = take_over(pool, NOW, "cluster-01", "root", holder if isinstance(holder, str) else "", "why")
    assert only(taken).state == only(pool).state
    assert expire(taken, NOW) is taken
