"""Creations: one per request, carried out by one replica, and never lost."""

import contextlib
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from cimaster.errors import TooManyCreations, UnknownCreation, WrongCreationState
from cimaster.pool import UNVERIFIED, Caller, ClusterFacts, Pool, Rules, add, expire
from cimaster.pool.decisions import creation_attempts, creation_retention, provisioning
from cimaster.pool.decisions.creation_attempts import FailedAttempt, TriggeredJob
from cimaster.pool.decisions.provisioning import CreationRequest
from cimaster.pool.records import record_lists
from cimaster.pool.records.creation import (
    DEADLINE,
    FAILED,
    JOB,
    LATE_JOB_LIMIT,
    MAX_OPEN,
    READY,
    REFUSED,
    REQUESTED,
    RUNNING,
    UNREACHABLE,
    Creation,
    parse_creations,
)

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
REQUEST = CreationRequest("tess-ci", "john", "master", "e2e")
JOB_NAME = "609e2b4e-326e-435d-af60-903000c646f7"
LINKS = TriggeredJob(JOB_NAME, "https://prow/job", "", "ProwJob created successfully")
CLAIM = timedelta(seconds=90)


def after(**duration: float) -> datetime:
    """Return the time this long after NOW."""
    return NOW + timedelta(**duration)


@pytest.fixture
def requested() -> Pool:
    """A pool in which john requested a cluster."""
    pool, _ = provisioning.create(Pool(), NOW, REQUEST, "c-1")
    return pool


@pytest.fixture
def running(requested: Pool) -> Pool:
    """A pool in which a job builds john's cluster."""
    pool, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    pool, _ = creation_attempts.record_trigger(pool, NOW, "c-1", get(pool).idempotency_key, LINKS)
    return pool


def get(pool: Pool, identity: str = "c-1") -> Creation:
    """Return a creation."""
    found = provisioning.find_by_id(pool, identity)
    assert found
    return found


def test_a_requested_creation_is_recorded(requested: Pool) -> None:
    creation = get(requested)
    assert (creation.state, creation.purpose, creation.user) == (REQUESTED, "tess-ci", "john")
    assert (creation.branch, creation.job, creation.idempotency_key) == ("master", "e2e", "c-1-0")
    assert creation.deadline == after(hours=2) == requested.due


@pytest.mark.parametrize("user", ["john", "John"])
def test_an_equal_request_returns_the_open_creation(requested: Pool, running: Pool, user: str) -> None:
    again = CreationRequest("tess-ci", user, "master", "e2e")
    for pool in (requested, running):
        same, answer = provisioning.create(pool, NOW, again, "c-2")
        assert same is pool
        assert (answer.text, answer.repeated) == ("c-1", True)


@pytest.mark.parametrize(
    "other",
    [
        CreationRequest("perf", "john", "master", "e2e"),
        CreationRequest("tess-ci", "eve", "master", "e2e"),
        CreationRequest("tess-ci", "john", "x", "e2e"),
        CreationRequest("tess-ci", "john", "master", "other"),
    ],
)
def test_a_different_request_is_another_creation(requested: Pool, other: CreationRequest) -> None:
    pool, answer = provisioning.create(requested, NOW, other, "c-2")
    assert (answer.text, answer.repeated, len(pool.creations)) == ("c-2", False, 2)


def test_force_requests_another_creation(requested: Pool) -> None:
    pool, answer = provisioning.create(requested, NOW, REQUEST, "c-2", force=True)
    assert (answer.text, get(pool, "c-2").fields["force"]) == ("c-2", True)


def test_an_equal_request_after_a_failure_is_a_new_creation(requested: Pool) -> None:
    pool, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    pool, _ = creation_attempts.record_failure(pool, NOW, "c-1", "one", FailedAttempt(REFUSED, "unknown job"))
    assert provisioning.create(pool, NOW, REQUEST, "c-2")[1].text == "c-2"


def flooded(pool: Pool, owner: str, policy: bool = False) -> Pool:
    """Return the pool after one caller has requested as many creations as allowed, under different user names."""
    with contextlib.suppress(TooManyCreations):
        for number in range(MAX_OPEN + 1):
            wanted = CreationRequest("tess-ci", f"user-{number}", "master", "e2e", policy, owner)
            pool, _ = provisioning.create(pool, NOW, wanted, f"{owner}-{number}")
    return pool


def open_in(pool: Pool) -> int:
    """Return how many clusters are being created."""
    return sum(creation.is_open for creation in pool.creations)


def test_no_caller_takes_all_places() -> None:
    pool = flooded(Pool(), "office")
    assert open_in(pool) == 20
    with pytest.raises(
        TooManyCreations,
        match="20 clusters are being created, 20 of them for this caller, which is its share: dismiss creations "
        "that are not needed, or wait until some are ready",
    ) as refusal:
        provisioning.create(pool, NOW, CreationRequest("tess-ci", "new", "", "", owner="office"), "c-x")
    assert refusal.value.retry_after
    for number in range(6):
        pool = flooded(pool, f"caller-{number}")
    assert open_in(pool) == 40
    with pytest.raises(TooManyCreations, match="40 clusters are being created: wait until some are ready"):
        provisioning.create(pool, NOW, CreationRequest("tess-ci", "new", "", "", owner="late"), "c-x")


def test_policies_have_reserved_places() -> None:
    pool = flooded(flooded(flooded(Pool(), "office"), "second"), "third")
    before = open_in(pool)
    assert open_in(flooded(pool, "policy", policy=True)) == MAX_OPEN
    assert before < 40
    policies_first = flooded(Pool(), "policy", policy=True)
    with pytest.raises(TooManyCreations):
        provisioning.create(policies_first, NOW, CreationRequest("tess-ci", "new", "", "", owner="late"), "c-x")


def test_creations_without_an_owner_share_one_limit() -> None:
    pool = flooded(Pool(), "")
    assert "owner" not in pool.creations[0].fields
    assert open_in(flooded(pool, "me")) == 30


def test_an_owner_is_stored_but_not_shown() -> None:
    pool, _ = provisioning.create(Pool(), NOW, CreationRequest("tess-ci", "john", "master", "e2e", owner="0123"), "c-1")
    [read] = parse_creations(record_lists.encode(pool.creations))
    assert read.owner == "0123"
    assert "owner" not in read.described(UNVERIFIED)


def test_only_one_replica_claims_a_creation(requested: Pool) -> None:
    pool, mine = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    same, theirs = creation_attempts.claim(pool, after(seconds=89), "c-1", "two", CLAIM, False)
    assert (mine.text, theirs.text, same is pool) == ("c-1", "", True)


def test_an_expired_claim_is_taken_over_under_the_same_key(requested: Pool) -> None:
    pool, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    taken, answer = creation_attempts.claim(pool, after(seconds=91), "c-1", "two", CLAIM, False)
    assert answer.text == "c-1"
    assert (get(taken).idempotency_key, get(taken).get_number("tries")) == (get(requested).idempotency_key, 2)
    late, _ = creation_attempts.record_failure(
        taken, after(seconds=92), "c-1", "one", FailedAttempt(UNREACHABLE, "late")
    )
    assert late is taken  # a replica that lost its claim changes nothing
    started, _ = creation_attempts.record_trigger(taken, after(seconds=92), "c-1", get(taken).idempotency_key, LINKS)
    assert get(started).state == RUNNING  # but any replica may report that the job was started


def test_a_claim_can_be_released(requested: Pool) -> None:
    pool, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, True)
    assert creation_attempts.release_claim(pool, NOW, "c-1", "two")[0] is pool
    pool, _ = creation_attempts.release_claim(pool, NOW, "c-1", "one")
    assert get(pool).is_claimable(NOW)


def test_the_job_and_its_links_are_recorded_once(running: Pool) -> None:
    creation = get(running)
    assert (creation.state, creation.job_name, creation.status_link) == (
        RUNNING,
        JOB_NAME,
        LINKS.status_link,
    )
    assert not creation.is_claimable(after(days=1))
    assert (
        creation_attempts.record_trigger(running, NOW, "c-1", get(running).idempotency_key, TriggeredJob("another"))[0]
        is running
    )


def test_an_unreachable_provisioner_is_retried_with_growing_pauses(requested: Pool) -> None:
    pool, now, pauses = requested, NOW, []
    while get(pool).is_open:
        pool, answer = creation_attempts.claim(pool, now, "c-1", "one", CLAIM, False)
        assert answer.text
        pool, _ = creation_attempts.record_failure(pool, now, "c-1", "one", FailedAttempt(UNREACHABLE, "no route"))
        later = get(pool).get_time("nextTry")
        if later:
            pauses.append((later - now).total_seconds())
            assert not get(pool).is_claimable(later - timedelta(seconds=1))
            now = later
    assert pauses[:7] == [2, 4, 8, 16, 32, 60, 60]
    assert timedelta(minutes=10) < now - NOW < timedelta(minutes=12)
    assert (get(pool).failure, get(pool).reason) == (UNREACHABLE, "no route")


@pytest.mark.parametrize("lost", ["an answer", "the claiming replica"])
def test_a_creation_that_may_have_started_is_retried_until_its_deadline(requested: Pool, lost: str) -> None:
    pool, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    now = after(minutes=2)
    if lost == "an answer":
        pool, _ = creation_attempts.record_failure(
            pool, NOW, "c-1", "one", FailedAttempt(UNREACHABLE, "no answer", unknown=True)
        )
    while now < after(minutes=119):
        pool, claimed = creation_attempts.claim(pool, now, "c-1", "two", CLAIM, False)
        assert claimed.text
        pool, _ = creation_attempts.record_failure(pool, now, "c-1", "two", FailedAttempt(UNREACHABLE, "no route"))
        now += timedelta(minutes=5)
    assert get(pool).may_bring_cluster
    started, _ = creation_attempts.record_trigger(pool, now, "c-1", get(pool).idempotency_key, LINKS)
    assert "maybeBegun" not in get(started).fields
    assert not get(expire(pool, after(hours=2))).is_open


def test_the_provisioner_may_set_the_pause(requested: Pool) -> None:
    pool, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    pool, _ = creation_attempts.record_failure(
        pool, NOW, "c-1", "one", FailedAttempt(UNREACHABLE, "busy", timedelta(seconds=45))
    )
    assert get(pool).get_time("nextTry") == after(seconds=45)


@pytest.mark.parametrize("kind", [REFUSED, JOB])
def test_a_refused_or_ended_job_fails_its_creation_immediately(requested: Pool, kind: str) -> None:
    pool, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    pool, _ = creation_attempts.record_failure(pool, NOW, "c-1", "one", FailedAttempt(kind, "no such job"))
    creation = get(pool)
    assert (creation.state, creation.failure, creation.reason) == (FAILED, kind, "no such job")
    assert pool.due is None


def test_a_creation_times_out_with_the_last_reason(requested: Pool) -> None:
    pool, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    pool, _ = creation_attempts.record_failure(pool, NOW, "c-1", "one", FailedAttempt(UNREACHABLE, "no route"))
    assert get(expire(pool, after(minutes=119))).is_open
    over = get(expire(pool, after(hours=2)))
    assert (over.state, over.failure) == (FAILED, DEADLINE)
    assert over.reason == "no cluster was ready within 2 h (no route)"


def test_a_failed_creation_counts_until_its_job_has_ended(running: Pool) -> None:
    pool = expire(running, after(hours=3))
    assert (get(pool).state, get(pool).may_bring_cluster) == (FAILED, True)
    pool, _ = creation_attempts.record_job_status(
        pool, after(hours=4), "c-1", TriggeredJob(JOB_NAME), True, "its job ended with failure"
    )
    assert (get(pool).state, get(pool).may_bring_cluster, get(pool).failure) == (FAILED, False, DEADLINE)


def test_a_failed_job_fails_its_creation(running: Pool) -> None:
    pool, _ = creation_attempts.record_job_status(
        running, NOW, "c-1", TriggeredJob(JOB_NAME), True, "its job ended with failure: quota"
    )
    assert (get(pool).failure, get(pool).reason) == (JOB, "its job ended with failure: quota")
    assert not get(pool).may_bring_cluster


def test_an_unchanged_job_status_writes_nothing(running: Pool) -> None:
    assert creation_attempts.record_job_status(running, NOW, "c-1", TriggeredJob(JOB_NAME), False, "")[0] is running
    assert creation_attempts.record_job_status(running, NOW, "c-1", TriggeredJob("another"), True, "gone")[0] is running
    linked, _ = creation_attempts.record_job_status(
        running, NOW, "c-1", TriggeredJob(JOB_NAME, "", "https://log"), False, ""
    )
    assert (get(linked).log_link, get(linked).status_link) == ("https://log", LINKS.status_link)


@pytest.mark.parametrize("reference", ["c-1", JOB_NAME])
def test_adding_the_cluster_makes_its_creation_ready(running: Pool, reference: str) -> None:
    pool, answer = add(running, NOW, "new", "root", ClusterFacts("us"), reference)
    assert answer.text == "cluster new is added successfully"
    assert (get(pool).state, get(pool).cluster, pool.due) == (READY, "new", None)
    again, _ = add(pool, NOW, "new", "root", ClusterFacts("us"), reference)
    assert get(again).state == READY


def test_a_cluster_gets_the_purpose_of_its_creation() -> None:
    pool, _ = provisioning.create(Pool(), NOW, CreationRequest("perf", "john", "master", "e2e"), "c-1")
    pool, _ = add(pool, NOW, "new", "root", ClusterFacts("us"), "c-1")
    assert pool.find("new").purpose == "perf"


def test_without_a_reference_the_oldest_matching_creation_is_ready(requested: Pool) -> None:
    pool, _ = provisioning.create(requested, NOW, REQUEST, "c-2", force=True)
    pool, _ = provisioning.create(pool, NOW, CreationRequest("perf", "john", "", ""), "c-3")
    pool, _ = add(pool, NOW, "a", "John", ClusterFacts("us"))
    assert [creation.state for creation in pool.creations] == [READY, REQUESTED, REQUESTED]
    pool, _ = add(pool, NOW, "b", "root", ClusterFacts("us"))
    assert get(pool, "c-2").state == REQUESTED  # root requested nothing
    pool, _ = add(pool, NOW, "c", "john", ClusterFacts("us", "perf"))
    assert [creation.state for creation in pool.creations] == [READY, REQUESTED, READY]


def test_a_late_cluster_makes_a_failed_creation_ready(running: Pool) -> None:
    pool, _ = add(expire(running, after(hours=3)), after(hours=3), "new", "root", ClusterFacts("us"), "c-1")
    assert (get(pool).state, get(pool).reason, get(pool).get_text("failedAt")) == (READY, "", "")


def test_an_unknown_job_belongs_to_the_creation_without_a_job(requested: Pool) -> None:
    with pytest.raises(UnknownCreation):
        add(requested, NOW, "new", "root", ClusterFacts("us"), JOB_NAME)  # no job has been requested yet
    pool, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    with pytest.raises(UnknownCreation):
        add(pool, NOW, "new", "root", ClusterFacts("us"), "c-9")
    with pytest.raises(UnknownCreation):
        add(pool, NOW, "new", "root", ClusterFacts("us", "perf"), JOB_NAME)
    pool, _ = add(pool, NOW, "new", "root", ClusterFacts("us"), JOB_NAME)
    assert (get(pool).state, get(pool).job_name) == (READY, JOB_NAME)


def test_a_ready_creation_accepts_no_second_cluster(running: Pool) -> None:
    pool, _ = add(running, NOW, "new", "root", ClusterFacts("us"), "c-1")
    with pytest.raises(WrongCreationState) as refusal:
        add(pool, NOW, "newer", "root", ClusterFacts("us"), "c-1")
    assert "new" in refusal.value.sentence


def test_a_retry_starts_a_new_job_if_there_was_one(requested: Pool, running: Pool) -> None:
    failed, _ = creation_attempts.record_job_status(running, NOW, "c-1", TriggeredJob(JOB_NAME), True, "quota")
    pool, _ = provisioning.retry(failed, after(hours=1), "c-1", "eve")
    creation = get(pool)
    assert (creation.state, creation.idempotency_key, creation.get_text("retriedBy")) == (REQUESTED, "c-1-1", "eve")
    assert (creation.job_name, creation.reason, creation.get_number("tries")) == ("", "", 0)
    assert creation.deadline == after(hours=3)
    lost = expire(requested, after(hours=2))
    pool, _ = provisioning.retry(lost, after(hours=2), "c-1", "eve")
    assert get(pool).idempotency_key == "c-1-0"  # its job may exist: the same key finds it


def test_only_a_failed_creation_without_a_running_job_can_be_retried(requested: Pool, running: Pool) -> None:
    for pool in (requested, running, expire(running, after(hours=3))):
        with pytest.raises(WrongCreationState):
            provisioning.retry(pool, NOW, "c-1", "eve")
    with pytest.raises(UnknownCreation):
        provisioning.retry(requested, NOW, "c-9", "eve")


def test_a_dismissed_creation_is_removed_unless_its_job_is_running(requested: Pool, running: Pool) -> None:
    pool, _ = provisioning.dismiss(requested, NOW, "c-1", "eve")
    assert pool.creations == ()
    pool, _ = provisioning.dismiss(expire(running, after(hours=3)), after(hours=3), "c-1", "eve")
    assert (get(pool).is_shown, get(pool).may_bring_cluster) == (False, True)
    pool, _ = creation_attempts.record_job_status(pool, after(hours=3), "c-1", TriggeredJob(JOB_NAME), True, "gone")
    assert creation_retention.trimmed(pool.creations, after(hours=3)) == ()


def test_a_creation_in_progress_cannot_be_dismissed(requested: Pool, running: Pool) -> None:
    claimed, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    for pool in (claimed, running):
        with pytest.raises(WrongCreationState) as refusal:
            provisioning.dismiss(pool, NOW, "c-1", "eve")
        assert "times out in 2 h" in refusal.value.sentence


def test_closed_creations_are_dropped_after_a_week(requested: Pool) -> None:
    done, _ = add(requested, NOW, "new", "root", ClusterFacts("us"), "c-1")
    assert len(creation_retention.trimmed(done.creations, after(days=6))) == 1
    assert len(creation_retention.trimmed(done.creations, after(days=8))) == 0
    assert len(creation_retention.trimmed(requested.creations, after(days=8))) == 1


def test_a_job_of_unknown_status_is_not_expected_forever(running: Pool) -> None:
    failed = expire(running, after(hours=3))
    assert failed.due == after(hours=2) + LATE_JOB_LIMIT
    assert get(expire(failed, after(hours=13))).may_bring_cluster
    over = expire(failed, after(hours=15))
    assert (get(over).may_bring_cluster, over.due) == (False, None)
    assert provisioning.retry(over, after(hours=15), "c-1", "eve")[1].text == "creation c-1 is requested again"
    assert creation_retention.trimmed(over.creations, after(days=8)) == ()


def test_a_claimed_creation_does_not_time_out(requested: Pool) -> None:
    pool, _ = creation_attempts.claim(requested, after(minutes=100), "c-1", "one", timedelta(minutes=31), True)
    assert get(expire(pool, after(minutes=130))).state == RUNNING
    assert get(expire(pool, after(minutes=131))).state == FAILED


def test_a_retry_after_a_job_that_ended_immediately_is_a_new_job(requested: Pool) -> None:
    pool, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    pool, _ = creation_attempts.record_failure(pool, NOW, "c-1", "one", FailedAttempt(JOB, "quota", job=LINKS))
    failed = get(pool)
    assert (failed.job_name, failed.status_link, failed.may_bring_cluster) == (
        JOB_NAME,
        LINKS.status_link,
        False,
    )
    pool, _ = provisioning.retry(pool, NOW, "c-1", "eve")
    assert get(pool).idempotency_key == "c-1-1"


def test_a_late_report_of_an_earlier_job_is_ignored(requested: Pool) -> None:
    pool, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    old = get(pool).idempotency_key
    pool, _ = creation_attempts.record_failure(pool, NOW, "c-1", "one", FailedAttempt(JOB, "quota", job=LINKS))
    pool, _ = provisioning.retry(pool, NOW, "c-1", "eve")
    assert creation_attempts.record_trigger(pool, NOW, "c-1", old, TriggeredJob("late"))[0] is pool


def test_a_replica_with_a_wrong_clock_takes_over_no_claim(requested: Pool) -> None:
    pool, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    assert creation_attempts.claim(pool, after(hours=1), "c-1", "two", CLAIM, False, takes_over=False)[1].text == ""
    assert creation_attempts.claim(requested, NOW, "c-1", "two", CLAIM, False, takes_over=False)[1].text == "c-1"


def may_have_started(pool: Pool) -> Pool:
    """Return the pool after the answer to the first attempt was lost."""
    pool, _ = creation_attempts.claim(pool, NOW, "c-1", "one", CLAIM, False)
    return creation_attempts.record_failure(pool, NOW, "c-1", "one", FailedAttempt(UNREACHABLE, "lost", unknown=True))[
        0
    ]


def test_a_cluster_of_a_job_that_may_have_started_is_accepted(requested: Pool) -> None:
    lost = may_have_started(requested)
    dismissed, _ = provisioning.dismiss(lost, NOW, "c-1", "eve")
    assert (get(dismissed).state, get(dismissed).is_shown, get(dismissed).may_bring_cluster) == (FAILED, False, True)
    for pool in (lost, dismissed, expire(lost, after(hours=3))):
        for reference in ("c-1", JOB_NAME):
            ready, _ = add(pool, after(hours=3), "new", "root", ClusterFacts("us"), reference)
            assert (get(ready).state, get(ready).may_bring_cluster) == (READY, False)


def test_a_job_refused_later_counts_as_not_started(requested: Pool) -> None:
    pool, _ = creation_attempts.claim(may_have_started(requested), after(minutes=1), "c-1", "one", CLAIM, False)
    pool, _ = creation_attempts.record_failure(
        pool, after(minutes=1), "c-1", "one", FailedAttempt(REFUSED, "unknown job")
    )
    assert not get(pool).may_bring_cluster


OTHER_JOB = "11111111-326e-435d-af60-903000c646f7"
JOBS = {"c-1": JOB_NAME, "c-2": OTHER_JOB}


@pytest.mark.parametrize(
    "order", list(permutations(["c-1 reported", "c-2 reported", "c-1 added", "c-2 added"])), ids=";".join
)
def test_a_late_job_report_keeps_its_cluster_and_lowers_no_count(order: list[str]) -> None:
    pool = Pool()
    for identity in JOBS:
        pool, _ = provisioning.create(pool, NOW, REQUEST, identity, force=True)
        pool, _ = creation_attempts.claim(pool, NOW, identity, "one", CLAIM, False)
    for event in order:
        identity, what = event.split()
        if what == "added":
            pool, _ = add(pool, NOW, f"of-{identity}", "root", ClusterFacts("us"), JOBS[identity])
        else:
            pool, _ = creation_attempts.record_trigger(
                pool, NOW, identity, get(pool, identity).idempotency_key, TriggeredJob(JOBS[identity])
            )
        assert len(pool.clusters) + sum(creation.may_bring_cluster for creation in pool.creations) == 2
    for identity in JOBS:
        ready = get(pool, identity)
        assert (ready.state, ready.cluster, ready.job_name) == (
            READY,
            f"of-{identity}",
            JOBS[identity],
        )
        assert not ready.job_is_guessed


def test_a_creation_with_a_wrongly_guessed_job_is_started_again() -> None:
    pool = Pool()
    for identity in JOBS:
        pool, _ = provisioning.create(pool, NOW, REQUEST, identity, force=True)
        pool, _ = creation_attempts.claim(pool, NOW, identity, "one", CLAIM, False)
    pool, _ = add(pool, NOW, "of-c-2", "root", ClusterFacts("us"), OTHER_JOB)
    assert get(pool, "c-1").state == READY
    pool, _ = creation_attempts.record_trigger(
        pool, NOW, "c-2", get(pool, "c-2").idempotency_key, TriggeredJob(OTHER_JOB)
    )
    assert (get(pool, "c-2").state, get(pool, "c-1").state) == (READY, REQUESTED)
    assert get(pool, "c-1").is_claimable(NOW)
    assert get(pool, "c-1").may_have_started


def test_a_creation_named_by_its_cluster_keeps_it() -> None:
    pool = Pool()
    for identity in JOBS:
        pool, _ = provisioning.create(pool, NOW, REQUEST, identity, force=True)
        pool, _ = creation_attempts.claim(pool, NOW, identity, "one", CLAIM, False)
    pool, _ = add(pool, NOW, "first", "root", ClusterFacts("us"), "c-1")
    pool, _ = add(pool, NOW, "second", "root", ClusterFacts("us"), JOB_NAME)
    assert get(pool, "c-2").job_is_guessed
    pool, _ = creation_attempts.record_trigger(pool, NOW, "c-1", get(pool).idempotency_key, LINKS)
    assert (get(pool).cluster, get(pool).job_name) == ("first", JOB_NAME)


def test_an_unknown_job_is_not_matched_to_a_creation_never_started(requested: Pool) -> None:
    pool, _ = creation_attempts.claim(requested, NOW, "c-1", "one", CLAIM, False)
    pool, _ = creation_attempts.record_failure(pool, NOW, "c-1", "one", FailedAttempt(UNREACHABLE, "no route"))
    with pytest.raises(UnknownCreation) as refusal:
        add(pool, NOW, "new", "root", ClusterFacts("us"), JOB_NAME)
    assert "leave creation out" in refusal.value.sentence


def test_retries_count_towards_the_limit_of_open_creations(running: Pool) -> None:
    pool, _ = creation_attempts.record_job_status(running, NOW, "c-1", TriggeredJob(JOB_NAME), True, "quota")
    pool = flooded(pool, "office")
    with pytest.raises(TooManyCreations):
        provisioning.retry(pool, NOW, "c-1", "eve", Caller("office"))
    retried, _ = provisioning.retry(pool, NOW, "c-1", "eve", Caller("another"))
    assert provisioning.find(retried, "c-1").owner == "another"


def test_an_import_keeps_creations_that_may_add_a_cluster(requested: Pool, running: Pool) -> None:
    other, _ = provisioning.create(Pool(), NOW, REQUEST, "c-2")
    assert [c.id for c in creation_retention.merge_imported(running.creations, other.creations)] == ["c-2", "c-1"]
    done, _ = add(requested, NOW, "new", "root", ClusterFacts("us"), "c-1")
    assert [c.id for c in creation_retention.merge_imported(done.creations, other.creations)] == ["c-2"]
    assert creation_retention.merge_imported(done.creations, ()) == done.creations


def test_the_newest_closed_creations_are_kept() -> None:
    made = [
        Creation({"id": f"c-{n}", "state": READY, "readyAt": "2026-01-02T12:00:00Z", "message": "x" * 300})
        for n in range(500)
    ]
    kept = creation_retention.trimmed(tuple(made), NOW)
    assert 50 < len(kept) < 100
    assert kept == tuple(made[-len(kept) :])


def test_the_deadline_of_creations_is_configurable() -> None:
    pool, _ = provisioning.create(Pool(rules=Rules(creation=timedelta(minutes=5))), NOW, REQUEST, "c-1")
    assert get(pool).deadline == after(minutes=5)


def test_unstarted_creations_of_an_import_fail_until_retried(requested: Pool, running: Pool) -> None:
    (parked,) = creation_retention.fail_unstarted(requested.creations, NOW)
    assert (parked.state, parked.failure) == (FAILED, REFUSED)
    assert creation_retention.fail_unstarted(running.creations, NOW)[0].state == RUNNING
