"""Checks of vacant clusters and cleans of returned ones: what is due, who runs it, and what its outcome means."""

import dataclasses
from datetime import timedelta

from cimaster.pool import (
    Answer,
    Criteria,
    FinishRequest,
    Pool,
    PurposeTerms,
    WaitTerms,
    expire,
    finish,
    hold,
    release,
    set_health,
    set_purpose,
    take,
    take_or_wait,
)
from cimaster.pool.decisions import checking, descriptions
from cimaster.pool.records.field_types import LARGEST_NUMBER
from cimaster.pool.records.purpose import PurposeRules
from tests.pool.test_expiry import NOW
from tests.pool.test_health import pool_with

MINUTE = timedelta(minutes=1)


def cleaned(*names: str, after_expiry: str = "") -> Pool:
    """Return a pool whose clusters are cleaned after each use."""
    return set_purpose(
        pool_with(*names), NOW, "tess-ci", "root", PurposeTerms(clean="wipe", after_expiry=after_expiry)
    )[0]


def checked(*names: str) -> Pool:
    """Return a pool whose clusters are checked every 10 minutes."""
    return set_purpose(pool_with(*names), NOW, "tess-ci", "root", PurposeTerms(check="ping"))[0]


def used(pool: Pool, name: str = "c1") -> Pool:
    """Lend a cluster, and have it given back."""
    pool, answer = take(pool, NOW, Criteria("e2e", "1", "al", cluster=name), "l")
    return finish(pool, NOW, FinishRequest(name, answer.lease))[0]


def outcome(pool: Pool, failure: str, after: timedelta = timedelta(), name: str = "c1") -> Pool:
    """Claim what is due for a cluster, and record this outcome."""
    pool, claimed = checking.claim(pool, NOW + after, name, "x", MINUTE)
    assert claimed.text
    pool, answer = checking.record_outcome(pool, NOW + after, name, "x", failure)
    assert answer.text
    return pool


def due(pool: Pool, after: timedelta = timedelta()) -> list[str]:
    """Return the names of the clusters that may be claimed."""
    return [cluster.name for cluster in checking.due(pool, NOW + after)]


def test_without_rules_a_returned_cluster_is_vacant_and_nothing_is_due() -> None:
    pool = used(pool_with("c1"))
    assert pool.find("c1").state == "vacant"
    assert due(pool) == []


def test_a_returned_cluster_is_cleaned_before_it_is_lent_again() -> None:
    pool = used(cleaned("c1"))
    assert pool.find("c1").state == "checking"
    assert descriptions.situation(pool.find("c1")) == "waiting to be cleaned"
    assert due(pool) == ["c1"]
    pool, answer = checking.claim(pool, NOW, "c1", "x", MINUTE)
    assert answer.text == "wipe"
    assert descriptions.situation(pool.find("c1")) == "being cleaned"
    pool, _ = checking.record_outcome(pool, NOW + MINUTE, "c1", "x", "")
    assert pool.find("c1").state == "vacant"
    assert pool.find("c1").vacant_since == NOW + MINUTE


def test_one_replica_has_the_claim_until_it_runs_out() -> None:
    pool, _ = checking.claim(used(cleaned("c1")), NOW, "c1", "x", MINUTE)
    identity = pool.find("c1").get_id("checkId")
    assert due(pool) == []
    assert checking.claim(pool, NOW, "c1", "y", MINUTE) == (pool, Answer(""))
    pool, _ = checking.renew_claim(pool, NOW + MINUTE / 2, "c1", "x", MINUTE)
    assert due(pool, MINUTE) == []
    pool, answer = checking.claim(pool, NOW + 2 * MINUTE, "c1", "y", MINUTE)
    assert answer.text == "wipe"
    assert pool.find("c1").get_id("checkId") == identity
    assert checking.record_outcome(pool, NOW + 2 * MINUTE, "c1", "x", "late") == (pool, Answer(""))
    assert checking.renew_claim(pool, NOW + 2 * MINUTE, "c1", "x", MINUTE)[1].text == ""


def test_a_released_claim_is_due_immediately() -> None:
    pool, _ = checking.claim(used(cleaned("c1")), NOW, "c1", "x", MINUTE)
    pool, _ = checking.release_claim(pool, NOW, "c1", "x")
    assert due(pool) == ["c1"]


def test_a_failed_clean_makes_suspect_and_the_second_in_a_row_quarantines() -> None:
    pool = outcome(used(cleaned("c1", "c2")), "exit code 3")
    assert (pool.find("c1").state, pool.find("c1").health.state) == ("checking", "suspect")
    assert due(pool) == []
    pool = outcome(pool, "exit code 4", MINUTE)
    assert pool.find("c1").state == "quarantined"
    assert pool.find("c1").health.reason == "its clean failed 2 times: exit code 4"
    pool = outcome(pool, "", timedelta(hours=1))
    assert pool.find("c1").state == "vacant"


def test_a_clean_that_keeps_failing_does_not_stop_a_whole_purpose() -> None:
    pool = outcome(outcome(used(cleaned("c1")), "no"), "no", MINUTE)
    assert pool.find("c1").state == "vacant"
    assert "would take more than half" in pool.find("c1").health.reason


def test_a_vacant_cluster_is_checked_every_so_often() -> None:
    pool = outcome(checked("c1"), "")
    assert pool.find("c1").state == "vacant"
    assert due(pool, 9 * MINUTE) == []
    assert due(pool, 10 * MINUTE) == ["c1"]


def test_a_check_in_progress_keeps_the_cluster_from_being_lent() -> None:
    pool, _ = checking.claim(checked("c1", "c2"), NOW, "c1", "x", MINUTE)
    assert pool.find("c1").state == "checking"
    assert take(pool, NOW, Criteria("e2e", "1"), "l")[1].text == "c2"


def test_two_failed_checks_quarantine_and_a_passed_one_brings_it_back() -> None:
    pool = outcome(outcome(checked("c1", "c2"), "answered 503"), "", name="c2")
    pool = outcome(pool, "answered 503", MINUTE)
    assert pool.find("c1").state == "quarantined"
    pool = outcome(pool, "", timedelta(hours=1))
    assert pool.find("c1").state == "vacant"
    assert pool.history[-1].event == "healthy"


def test_a_passed_check_does_not_end_the_quarantine_of_an_admin() -> None:
    pool, _ = set_health(checked("c1"), NOW, "c1", "root", "quarantined")
    pool = outcome(pool, "")
    assert pool.find("c1").state == "quarantined"
    pool, _ = set_health(pool, NOW, "c1", "root", "ok")
    assert pool.find("c1").state == "vacant"


def test_at_most_a_quarter_of_the_vacant_clusters_is_checked_at_a_time() -> None:
    pool = checked(*(f"c{n}" for n in range(8)))
    assert len(due(pool)) == 2
    pool, _ = checking.claim(pool, NOW, "c0", "x", MINUTE)
    assert due(pool) == ["c1"]


def test_a_cluster_that_is_reserved_for_a_waiting_caller_is_not_checked() -> None:
    pool, _ = take(checked("c1"), NOW, Criteria("e2e", "1"), "l")
    terms = WaitTerms(60 * MINUTE, connected_for=MINUTE)
    pool, _ = take_or_wait(pool, NOW, Criteria("e2e", "2"), "l2", terms, None)
    pool, _ = finish(pool, NOW, FinishRequest("c1", "l"))
    assert due(pool) == []
    assert due(pool, 5 * MINUTE) == ["c1"]


def test_a_hold_interrupts_a_clean_which_is_done_after_it() -> None:
    pool, _ = checking.claim(used(cleaned("c1")), NOW, "c1", "x", MINUTE)
    pool, _ = hold(pool, NOW, "c1", "alice")
    assert (pool.find("c1").state, due(pool)) == ("held", [])
    assert checking.renew_claim(pool, NOW, "c1", "x", MINUTE)[1].text == ""
    pool, _ = release(pool, NOW, "c1", "alice", is_admin=False)
    assert (pool.find("c1").state, due(pool, MINUTE)) == ("checking", ["c1"])


def test_an_interrupted_run_has_the_rest_of_its_claim_to_end() -> None:
    for rules, prepared in ((cleaned, used), (checked, lambda pool: pool)):
        pool, claimed = checking.claim(prepared(rules("c1")), NOW, "c1", "x", MINUTE)
        assert claimed.text
        pool, _ = hold(pool, NOW, "c1", "alice")
        pool, _ = release(pool, NOW, "c1", "alice", is_admin=False)
        assert due(pool) == []
        assert checking.record_outcome(pool, NOW, "c1", "x", "")[1].text == ""
        assert due(pool, MINUTE) == ["c1"]


def test_a_clean_that_is_no_longer_set_is_cancelled() -> None:
    pool = used(cleaned("c1"))
    pool, _ = set_purpose(pool, NOW, "tess-ci", "root", PurposeTerms(clean=""))
    assert pool.purpose_rules == ()
    pool, answer = checking.claim(pool, NOW, "c1", "x", MINUTE)
    assert answer.text == ""
    assert pool.find("c1").state == "vacant"


def test_what_follows_a_lease_that_ran_out() -> None:
    for after_expiry, state in (
        ("", "checking"),
        ("clean", "checking"),
        ("vacant", "vacant"),
        ("quarantine", "quarantined"),
    ):
        pool = cleaned("c1", "c2", after_expiry=after_expiry)
        pool, _ = take(pool, NOW, Criteria("e2e", "1", cluster="c1", ttl=MINUTE), "l")
        assert expire(pool, NOW + MINUTE).find("c1").state == state


def test_a_failure_is_recorded_however_many_there_were() -> None:
    pool, _ = set_purpose(pool_with("c1", failedChecks=LARGEST_NUMBER), NOW, "tess-ci", "root", PurposeTerms("ping"))
    assert outcome(pool, "sick").find("c1").health.failed_checks == LARGEST_NUMBER


def test_rules_in_force_are_changed_although_broken_ones_precede_them() -> None:
    broken = PurposeRules({"purpose": "tess-ci", "afterExpiry": "explode"})
    pool = dataclasses.replace(cleaned("c1"), purpose_rules=(broken, *cleaned("c1").purpose_rules))
    pool, answer = set_purpose(pool, NOW, "tess-ci", "root", PurposeTerms(check="ping"))
    assert answer.text == "tess-ci clusters: checked by ping every 10m, cleaned by wipe after each use"
    assert len(pool.purpose_rules) == 1
