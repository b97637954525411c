"""The judge of stored states: it accepts what the service does, and finds each thing that must not happen."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from cimaster import pool as decide
from cimaster.common.times import format_time
from cimaster.pool import Criteria, FinishRequest, HoldTerms, Pool, Return
from cimaster.pool.records import remembered
from cimaster.pool.records.cluster import Cluster
from tests.pool_history import PoolHistory

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def committed(before: Pool, after: Pool) -> Pool:
    """Return a pool with the number of the commit that wrote it."""
    return dataclasses.replace(after, commit=before.commit + 1)


def problems(*pools: Pool) -> list[str]:
    """Return what the judge finds in pools that follow one another."""
    history = PoolHistory()
    return [problem for pool in pools for problem in history.follow(pool)]


@pytest.fixture
def vacant() -> Pool:
    """A pool of two vacant clusters."""
    clusters = tuple(Cluster.new({"name": name, "status": "finished"}) for name in ("c1", "c2"))
    return Pool(commit=1).with_clusters(clusters, ())


def held_by(pool: Pool, person: str) -> Pool:
    """Return the pool with c1 held."""
    return committed(pool, decide.hold(pool, NOW, "c1", person)[0])


def taken(pool: Pool, build: str) -> Pool:
    """Return the pool with a cluster lent, not committed."""
    return decide.take(pool, NOW, Criteria(job="e2e", build=build), f"lease-{build}")[0]


def failed(pool: Pool, build: str) -> Pool:
    """Return the pool with a build failed on a cluster, not committed."""
    pool, answer = decide.take(pool, NOW, Criteria(job="e2e", build=build), f"lease-{build}")
    return decide.finish(pool, NOW, FinishRequest(answer.text, f"lease-{build}", returned=Return("error")))[0]


def test_what_the_service_does_is_allowed(vacant: Pool) -> None:
    held = held_by(vacant, "alice")
    handed = committed(held, decide.hand_over(held, NOW, "c1", "alice", is_admin=False, to="bob")[0])
    over = committed(handed, decide.take_over(handed, NOW, "c1", "root", "bob", "urgent", HoldTerms())[0])
    mixed = taken(decide.release(over, NOW, "c1", "root", is_admin=True)[0], "1")
    one_commit = committed(over, failed(mixed, "2"))
    later = NOW + timedelta(hours=7)
    expired = committed(one_commit, decide.expire(one_commit, later))
    assert problems(vacant, held, handed, over, one_commit, expired) == []


@pytest.mark.parametrize("obstacle", ["held", "disabled", "quarantined"])
def test_lending_an_unavailable_cluster_is_found(vacant: Pool, obstacle: str) -> None:
    unavailable = {
        "held": held_by(vacant, "alice"),
        "disabled": committed(vacant, decide.disable(vacant, NOW, "c1", "root")[0]),
        "quarantined": committed(vacant, decide.set_health(vacant, NOW, "c1", "root", "quarantined")[0]),
    }[obstacle]
    cluster = unavailable.find("c1")
    lent = cluster.edited(status="testing", lastJob="e2e", lastBuild="1", leaseId="lease-1")
    after = unavailable.changed(cluster, lent, "taken", NOW, "", job="e2e", build="1")
    assert "was not allowed" in problems(unavailable, committed(unavailable, after))[0]


def test_lending_a_cluster_that_is_checked_is_found(vacant: Pool) -> None:
    after = taken(vacant, "1")
    lent = after.find("c1")
    checked = after.with_record(lent, lent.edited(checking="clean"), after.history)
    assert "is checked while a job has it" in problems(committed(vacant, checked))[0]


def test_a_change_without_history_is_found(vacant: Pool) -> None:
    held = held_by(vacant, "alice")
    silent = dataclasses.replace(held, history=())
    assert "its history says" in problems(vacant, silent)[0]


def test_a_hand_over_by_another_holder_is_found(vacant: Pool) -> None:
    held = held_by(vacant, "alice")
    cluster = held.find("c1")
    handed = held.changed(cluster, cluster.edited(holdBy="carol"), "handed over", NOW, "bob", newHolder="carol")
    assert "was not allowed" in problems(held, committed(held, handed))[0]


def test_a_result_that_counts_twice_is_found(vacant: Pool) -> None:
    after = failed(vacant, "1")
    cluster = next(cluster for cluster in after.clusters if cluster.results)
    doubled = cluster.edited(**remembered.edits(cluster.ended_leases, cluster.results * 2))
    twice = after.with_record(cluster, doubled, after.history)
    assert "the results of" in problems(vacant, committed(vacant, twice))[0]


def test_a_quarantine_of_more_than_half_is_found(vacant: Pool) -> None:
    pool = vacant
    for name in ("c1", "c2"):
        cluster = pool.find(name)
        pool = pool.changed(cluster, cluster.edited(health="quarantined"), "quarantined", NOW)
    assert "left 2 of 2 clusters quarantined" in problems(vacant, committed(vacant, pool))[0]


def test_bad_results_without_consequences_are_found(vacant: Pool) -> None:
    errors = [{"result": "error", "job": "e2e", "build": build} for build in ("1", "2")]
    cluster = vacant.find("c1")
    ignored = vacant.with_record(cluster, cluster.edited(results=errors), ())
    assert "is healthy in spite of its results" in problems(ignored)[0]


def test_a_claim_that_another_replica_seizes_is_found(vacant: Pool) -> None:
    cluster = vacant.find("c1").edited(
        checking="check", checkBy="a", checkUntil=format_time(NOW + timedelta(minutes=1))
    )
    claimed = vacant.with_record(vacant.find("c1"), cluster, ())
    seized = committed(claimed, claimed.with_record(cluster, cluster.edited(checkBy="b"), ()))
    history = PoolHistory()
    assert history.follow(claimed, NOW) == []
    assert "has a claim" in history.follow(seized, NOW)[0]
    allowed = PoolHistory()
    assert allowed.follow(claimed, NOW) + allowed.follow(seized, NOW + timedelta(minutes=2)) == []
