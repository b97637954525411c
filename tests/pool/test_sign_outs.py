"""Sign-outs in the pool: they end sessions that began before them, and what is no time in them ends none."""

import dataclasses
import json
from datetime import timedelta

import pytest

from cimaster.pool import Pool
from cimaster.pool.decisions.sign_outs import KEY, LONGEST_SESSION, is_over, last, sign_out
from tests.pool.test_queueing import NOW

ANN, BOB = "@ann", "@bob"
SECOND = timedelta(seconds=1)


def signed_out(*owners: str) -> Pool:
    pool = Pool()
    for owner in owners:
        pool, _ = sign_out(pool, NOW, owner, NOW)
    return pool


def test_a_sign_out_ends_the_sessions_that_began_before() -> None:
    pool = signed_out(ANN)
    assert [is_over(pool, ANN, began) for began in (NOW - SECOND, NOW, NOW + SECOND)] == [True, True, False]
    assert not is_over(pool, BOB, NOW)
    assert (last(pool, ANN), last(pool, BOB)) == (NOW, None)


def test_a_sign_out_is_kept_for_as_long_as_a_session_that_it_ends() -> None:
    pool = signed_out(ANN)
    for after, kept in ((LONGEST_SESSION, True), (LONGEST_SESSION + SECOND, False)):
        later, _ = sign_out(pool, NOW + after, BOB, NOW + after)
        assert is_over(later, ANN, NOW) is kept


@pytest.mark.parametrize("stored", [253_402_300_799_000, 10**30, -(10**14), True, 1.5, "now", None, [], {}])
def test_what_is_no_time_ends_no_session(stored: object) -> None:
    pool = signed_out(ANN)
    [key] = json.loads(pool.other_keys[KEY])
    odd = dataclasses.replace(pool, other_keys={KEY: json.dumps({key: stored})})
    assert (is_over(odd, ANN, NOW), last(odd, ANN)) == (False, None)
    assert is_over(sign_out(odd, NOW, ANN, NOW)[0], ANN, NOW)


@pytest.mark.parametrize("text", ["", "[", "[]", "5", "null", "[" * 100_000])
def test_a_text_that_is_no_object_ends_no_session(text: str) -> None:
    odd = Pool(other_keys={KEY: text})
    assert (is_over(odd, ANN, NOW), last(odd, ANN)) == (False, None)
    assert is_over(sign_out(odd, NOW, ANN, NOW)[0], ANN, NOW)
