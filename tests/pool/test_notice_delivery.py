"""Claims on channels, their back-off, and when a notice is given up, decided without a receiver."""

from datetime import UTC, datetime, timedelta

from cimaster.pool import Pool
from cimaster.pool.decisions import notice_delivery
from cimaster.pool.decisions.notice_delivery import Round
from cimaster.pool.records.notice import QUARANTINED, Notice
from cimaster.pool.records.outbox import Outbox

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOTHING = Round({}, {})
FAILURE = Round({}, {}, "it answered 500")


def pool_with(*destinations: str) -> Pool:
    """Return a pool with one notice, `n1`."""
    notice = Notice.new(QUARANTINED, NOW, "n1", {"cluster": "cluster-01"}).addressed(destinations)
    return Pool(outbox=Outbox((notice,)))


def claimed(pool: Pool, now: datetime, owner: str = "a", channel: str = "hook") -> Pool:
    """Return the pool with a claim of a minute, which must be possible."""
    pool, answer = notice_delivery.claim(pool, now, channel, owner, MINUTE)
    assert answer.text == channel
    return pool


def after(pool: Pool, now: datetime, done: Round, channel: str = "hook") -> Pool:
    """Return the pool after a round of the replica `a`."""
    return notice_delivery.record_round(claimed(pool, now, channel=channel), now, channel, "a", done)[0]


def test_a_claim_keeps_other_replicas_away_until_it_ends() -> None:
    pool = claimed(pool_with("hook"), NOW)
    assert notice_delivery.claim(pool, NOW + MINUTE / 2, "hook", "b", MINUTE)[1].text == ""
    assert claimed(pool, NOW + MINUTE, "b").outbox.channel("hook").claimed_by == "b"


def test_a_replica_that_does_not_know_of_its_claim_claims_again() -> None:
    pool = claimed(claimed(pool_with("hook"), NOW), NOW + MINUTE / 2)
    assert pool.outbox.channel("hook").claimed_until == NOW + 1.5 * MINUTE


def test_a_failure_sets_the_next_try_later_each_time() -> None:
    pool, now, pauses = pool_with("hook"), NOW, []
    for _ in range(9):
        pool = after(pool, now, FAILURE)
        next_try = pool.outbox.channel("hook").next_try
        assert next_try
        assert notice_delivery.claim(pool, next_try - MINUTE / 60, "hook", "b", MINUTE)[1].text == ""
        pauses.append((next_try - now).total_seconds())
        now = next_try
    assert pauses == [10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_a_round_that_tried_nothing_keeps_the_back_off() -> None:
    failed = after(pool_with("hook"), NOW, FAILURE)
    stopped = after(failed, NOW + MINUTE, NOTHING)
    assert stopped.outbox == failed.outbox


def test_a_notice_that_failed_for_a_day_is_given_up() -> None:
    pool = after(pool_with("hook"), NOW, FAILURE)
    pool = after(pool, NOW + timedelta(hours=23), FAILURE)
    assert pool.outbox.notices
    pool = after(pool, NOW + timedelta(hours=24), FAILURE)
    assert pool.outbox.notices == ()
    assert pool.outbox.channel("hook").given_up == 1


def test_a_channel_that_begins_to_fail_gives_up_no_old_notice() -> None:
    later = NOW + timedelta(days=2)
    pool = after(after(pool_with("hook", "mail"), NOW, FAILURE), later, FAILURE)
    assert [notice.destinations for notice in pool.outbox.notices] == [("mail",)]  # after its quiet hours, for example
    pool = after(pool, later, FAILURE, "mail")
    assert [notice.destinations for notice in pool.outbox.notices] == [("mail",)]
    assert pool.outbox.channel("mail").given_up == 0


def test_a_replica_without_the_claim_removes_only_what_it_sent() -> None:
    pool = claimed(pool_with("hook", "mail"), NOW, "b")
    pool, _ = notice_delivery.record_round(pool, NOW, "hook", "a", Round({"n1": ("hook",)}, {}, "it answered 500"))
    assert [notice.destinations for notice in pool.outbox.notices] == [("mail",)]
    assert pool.outbox.channel("hook").claimed_by == "b"
    assert pool.outbox.channel("hook").failure == ""
