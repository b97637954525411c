"""Results of jobs, quarantine and its brake, and how a cluster is brought back."""

from datetime import timedelta
from typing import Any

import pytest

from cimaster.pool import (
    Criteria,
    FinishRequest,
    HoldTerms,
    Pool,
    Return,
    Rules,
    enable,
    expire,
    finish,
    hold,
    release,
    set_health,
    take,
)
from cimaster.pool.decisions import descriptions
from cimaster.pool.records.cluster import Cluster
from tests.pool.test_expiry import NOW, pool_of

MINUTE = timedelta(minutes=1)


def pool_with(*names: str, **fields: Any) -> Pool:
    """Return a pool with vacant clusters of these names, and more fields in each."""
    return pool_of(*({"name": name, "status": "finished", **fields} for name in names))


def run(pool: Pool, name: str, build: str, result: str, job: str = "e2e", minutes: int = 0) -> Pool:
    """Lend a cluster to a build, and give it back with this result."""
    now = NOW + minutes * MINUTE
    pool, answer = take(pool, now, Criteria(job, build, "al", cluster=name), f"lease-{build}")
    return finish(pool, now, FinishRequest(name, answer.lease, returned=Return(result)))[0]


def fail(pool: Pool, name: str, *builds: str, result: str = "fail") -> Pool:
    """Give a cluster back with a failure of each build."""
    for minutes, build in enumerate(builds):
        pool = run(pool, name, build, result, minutes=minutes)
    return pool


def test_three_failures_of_different_builds_quarantine_with_a_reason() -> None:
    pool = fail(pool_with("c1", "c2"), "c1", "118", "121")
    assert pool.find("c1").state == "vacant"
    pool = fail(pool, "c1", "130")
    assert pool.find("c1").state == "quarantined"
    assert descriptions.situation(pool.find("c1")) == "quarantined: 3 failures in a row: e2e #118, #121, #130"
    assert [cluster.name for cluster in pool.vacant] == ["c2"]
    assert pool.history[-1].event == "quarantined"


def test_an_error_counts_double() -> None:
    pool = run(fail(pool_with("c1", "c2"), "c1", "1"), "c1", "2", "error", minutes=9)
    assert pool.find("c1").health.reason == "2 failures in a row: e2e #1, #2 (error)"
    assert pool.find("c1").state == "quarantined"


def test_the_failures_of_one_build_count_once() -> None:
    assert fail(pool_with("c1", "c2"), "c1", "1", "1", "1", "2").find("c1").state == "vacant"


def test_a_pass_between_failures_starts_the_count_anew() -> None:
    pool = run(fail(pool_with("c1", "c2"), "c1", "1", "2"), "c1", "3", "pass", minutes=8)
    pool = run(run(pool, "c1", "4", "fail", minutes=9), "c1", "5", "fail", minutes=10)
    assert pool.find("c1").state == "vacant"


def test_a_finish_without_a_result_counts_as_nothing() -> None:
    pool = fail(pool_with("c1", "c2"), "c1", "1", "2")
    pool = run(pool, "c1", "3", "", minutes=9)
    assert len(pool.find("c1").results) == 2
    assert fail(pool, "c1", "4").find("c1").state == "quarantined"


def test_only_the_last_five_results_are_kept() -> None:
    pool = pool_with("c1")
    for build in range(8):
        pool = run(pool, "c1", str(build), "pass", minutes=build)
    assert [result.build for result in pool.find("c1").results] == ["7", "6", "5", "4", "3"]


def test_quarantine_takes_at_most_half_of_a_purpose() -> None:
    pool = pool_with("c1", "c2", "c3")
    pool = fail(fail(pool, "c1", "1", "2", "3"), "c2", "4", "5", "6")
    assert [pool.find(name).state for name in ("c1", "c2", "c3")] == ["quarantined", "vacant", "vacant"]
    assert pool.find("c2").health.state == "suspect"
    assert "would take more than half of the tess-ci clusters" in pool.find("c2").health.reason


def test_the_only_cluster_of_a_purpose_is_never_quarantined_automatically() -> None:
    assert fail(pool_with("c1"), "c1", "1", "2", "3", "4").find("c1").state == "vacant"


def test_a_pass_ends_a_suspicion_that_results_caused() -> None:
    pool = run(fail(pool_with("c1"), "c1", "1", "2", "3"), "c1", "4", "pass", minutes=9)
    assert pool.find("c1").health.state == "ok"


def test_a_quarantine_that_is_switched_off_never_happens() -> None:
    pool = Pool(rules=Rules(quarantine_after=0)).with_clusters(pool_with("c1", "c2").clusters, ())
    assert fail(pool, "c1", "1", "2", "3", "4").find("c1").health.state == "ok"


@pytest.mark.parametrize(
    "bring_back",
    [lambda p, now: set_health(p, now, "c1", "root", "ok"), lambda p, now: enable(p, now, "c1", "root")],
)
def test_after_an_admin_brought_it_back_earlier_results_do_not_count(bring_back: Any) -> None:
    later = NOW + 10 * MINUTE
    pool, answer = bring_back(fail(pool_with("c1", "c2"), "c1", "1", "2", "3"), later)
    assert answer.text == "cluster c1 is healthy"
    assert (pool.find("c1").state, pool.find("c1").vacant_since) == ("vacant", later)
    pool = run(run(pool, "c1", "4", "fail", minutes=11), "c1", "5", "fail", minutes=12)
    assert pool.find("c1").state == "vacant"
    assert run(pool, "c1", "6", "fail", minutes=13).find("c1").state == "quarantined"


@pytest.mark.parametrize("behind", [timedelta(seconds=5), timedelta(hours=1)])
def test_earlier_results_do_not_count_if_a_clock_is_behind(behind: timedelta) -> None:
    pool = run(run(pool_with("c1", "c2"), "c1", "1", "fail"), "c1", "2", "fail")
    pool, _ = set_health(pool, NOW - behind, "c1", "root", "suspect")
    pool, _ = set_health(pool, NOW - behind, "c1", "root", "ok")
    assert run(pool, "c1", "3", "fail", minutes=1).find("c1").health.state == "ok"


@pytest.mark.parametrize("health", ["ok", "suspect"])
def test_a_cluster_that_leaves_quarantine_is_lent_after_the_others(health: str) -> None:
    pool = pool_with("c1", "c2", vacantSince="2020-01-01T00:00:00Z")
    for state in ("quarantined", health):
        pool, _ = set_health(pool, NOW, "c1", "root", state, "flaky disk")
    assert [cluster.name for cluster in pool.vacant] == ["c2", "c1"]


def test_a_quarantined_cluster_keeps_its_job_and_may_be_held() -> None:
    pool, _ = take(pool_with("c1", "c2"), NOW, Criteria("e2e", "1", cluster="c1"), "l")
    pool, answer = set_health(pool, NOW, "c1", "root", "quarantined", "flaky disk")
    assert answer.text == "cluster c1 is quarantined; e2e #1 keeps it until it finishes"
    assert pool.find("c1").state == "occupied"
    pool, _ = finish(pool, NOW, FinishRequest("c1", "l"))
    assert pool.find("c1").state == "quarantined"
    pool, _ = hold(pool, NOW, "c1", "alice")
    assert pool.find("c1").hold
    assert pool.find("c1").state == "quarantined"


def test_the_cluster_that_the_job_just_failed_on_comes_last() -> None:
    pool = run(pool_with("c1"), "c1", "1", "fail", minutes=-60)
    pool = pool.with_clusters(
        (*pool.clusters, Cluster.new({"name": "c2", "status": "finished", "vacantSince": "2026-01-02T11:59:00Z"})), ()
    )
    assert pool.vacant[0].name == "c1"
    assert take(pool, NOW, Criteria("e2e", "2"), "l")[1].text == "c2"
    assert take(pool, NOW, Criteria("other", "2"), "l")[1].text == "c1"
    pool, _ = take(pool, NOW, Criteria("other", "9", cluster="c2"), "l-9")
    assert take(pool, NOW, Criteria("e2e", "2"), "l")[1].text == "c1"


def test_a_failed_test_is_held_for_the_person_who_triggered_it() -> None:
    pool, _ = take(pool_with("c1"), NOW, Criteria("e2e", "1", "al", hold_on_failure=2 * 60 * MINUTE), "l")
    passed, _ = finish(pool, NOW, FinishRequest("c1", "l", returned=Return("pass")))
    assert passed.find("c1").state == "vacant"
    silent, _ = finish(pool, NOW, FinishRequest("c1", "l"))
    assert silent.find("c1").state == "vacant"
    pool, answer = finish(pool, NOW, FinishRequest("c1", "l", returned=Return("fail")))
    held = pool.find("c1").hold
    assert held
    assert (held.by, held.desc, held.expires) == ("al", "e2e #1 failed", NOW + timedelta(hours=2))
    assert answer.text == "cluster c1 is finished; it is now held by al until 2026-01-02T14:00:00Z (e2e #1 failed)"


def test_a_lease_that_ran_out_is_held_if_the_take_asked_for_that() -> None:
    wanted = Criteria("e2e", "1", "al", ttl=MINUTE, hold_on_failure=60 * MINUTE)
    pool, _ = take(pool_with("c1"), NOW, wanted, "l")
    held = expire(pool, NOW + MINUTE).find("c1").hold
    assert held
    assert (held.by, held.desc) == ("al", "e2e #1 ran out of time")


def test_a_hold_requested_at_the_finish_begins_unless_the_test_passed() -> None:
    pool, _ = take(pool_with("c1"), NOW, Criteria("e2e", "1", "al"), "l")
    for result, state in (("", "held"), ("error", "held"), ("pass", "vacant")):
        done, _ = finish(pool, NOW, FinishRequest("c1", "l", returned=Return(result, MINUTE)))
        assert done.find("c1").state == state


def test_a_waiting_hold_of_another_person_goes_before_a_hold_on_failure() -> None:
    pool, _ = take(pool_with("c1"), NOW, Criteria("e2e", "1", "al", hold_on_failure=60 * MINUTE), "l")
    pool, _ = hold(pool, NOW, "c1", "bob")
    pool, _ = finish(pool, NOW, FinishRequest("c1", "l", returned=Return("fail")))
    held = pool.find("c1").hold
    assert held
    assert held.by == "bob"


def test_those_that_a_hold_is_shared_with_may_extend_and_release_it() -> None:
    pool, _ = hold(pool_with("c1"), NOW, "c1", "alice", HoldTerms("network", shared_with=("Carol",)))
    pool, answer = hold(pool, NOW, "c1", "carol", HoldTerms(duration=timedelta(hours=9)))
    assert answer.text == "cluster c1 is held by alice until 2026-01-02T21:00:00Z"
    assert (pool.history[-1].by, pool.history[-1].holder) == ("carol", "alice")
    pool, _ = release(pool, NOW, "c1", "carol", is_admin=False)
    assert pool.find("c1").state == "vacant"
