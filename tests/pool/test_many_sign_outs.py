"""Many sign-outs: what one has ended stays ended for as long as a session lasts, however many others sign out."""

import json
from datetime import UTC, datetime, timedelta

from cimaster.pool import Pool
from cimaster.pool.decisions import sign_outs

NOW = datetime(2026, 1, 2, 3, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ALICE = "@alice"


def crowd(pool: Pool, since: datetime, callers: int = 600) -> Pool:
    """Let many callers sign out, one each second."""
    for number in range(callers):
        moment = since + number * SECOND
        pool, _ = sign_outs.sign_out(pool, moment, f"@caller-{number}", moment)
    return pool


def after_a_crowd() -> Pool:
    """Return a pool in which alice signed out before more callers than fit."""
    pool, _ = sign_outs.sign_out(Pool(), NOW, ALICE, NOW)
    return crowd(pool, NOW + SECOND)


def test_many_others_do_not_bring_an_ended_session_back() -> None:
    assert sign_outs.is_over(after_a_crowd(), ALICE, NOW - SECOND)


def test_many_rounds_of_many_callers_keep_the_list_small() -> None:
    pool = after_a_crowd()
    for round_number in range(1, 4):
        pool = crowd(pool, NOW + round_number * 600 * SECOND)
    stored = pool.other_keys[sign_outs.KEY]
    assert len(json.loads(stored)) <= 501
    assert len(stored) < 20_000
    assert sign_outs.is_over(pool, ALICE, NOW - SECOND)


def test_a_crowd_ends_no_session_that_began_after_most_of_it() -> None:
    pool = after_a_crowd()
    assert not sign_outs.is_over(pool, ALICE, NOW + 200 * SECOND)
    assert not sign_outs.is_over(pool, "@bob", NOW + 200 * SECOND)


def test_the_next_session_begins_after_what_a_crowd_ended() -> None:
    pool = after_a_crowd()
    ended = sign_outs.last(pool, "@bob")
    assert ended
    assert not sign_outs.is_over(pool, "@bob", ended + timedelta(milliseconds=1))


def test_what_a_crowd_ended_is_forgotten_after_twelve_hours() -> None:
    later = NOW + timedelta(hours=13)
    pool, _ = sign_outs.sign_out(after_a_crowd(), later, ALICE, later)
    assert sign_outs.last(pool, "@bob") is None
    assert len(json.loads(pool.other_keys[sign_outs.KEY])) == 1
