"""Automatic top-up: never beyond the limits, and every decision is explained."""

from datetime import UTC, datetime, timedelta

import pytest

from cimaster.errors import BadParameter, MissingParameter, UnknownPolicy
from cimaster.pool import ClusterFacts, Criteria, Pool, add, disable, expire, take
from cimaster.pool.decisions import automatic_top_up, creation_attempts, creation_retention, provisioning
from cimaster.pool.decisions.automatic_top_up import PolicyTerms
from cimaster.pool.decisions.creation_attempts import FailedAttempt, TriggeredJob
from cimaster.pool.records.creation import JOB, MAX_OPEN
from cimaster.pool.records.policy import Policy

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)  # a Friday
TERMS = PolicyTerms(min_vacant=3, max_total=5, max_creating=2, cooldown=timedelta(minutes=10))


def after(**duration: float) -> datetime:
    """Return the time this long after NOW."""
    return NOW + timedelta(**duration)


@pytest.fixture
def pool() -> Pool:
    """A pool with one vacant cluster and a policy that keeps three vacant."""
    made, _ = add(Pool(), NOW, "a", "root", ClusterFacts("us"))
    made, _ = automatic_top_up.set_policy(made, NOW, "tess-ci", "root", TERMS)
    return made


_numbers = iter(range(10_000))


def top_up(pool: Pool, now: datetime = NOW) -> Pool:
    """Request the creations that the policies want."""
    topped, _ = automatic_top_up.top_up(pool, now, [f"c-{next(_numbers)}" for _ in range(9)], "e2e", "master")
    return topped


def fail(pool: Pool, now: datetime) -> Pool:
    """Make all open creations fail."""
    for creation in pool.creations:
        if creation.is_open:
            pool, _ = creation_attempts.claim(pool, now, creation.id, "one", timedelta(minutes=1), False)
            pool, _ = creation_attempts.record_failure(pool, now, creation.id, "one", FailedAttempt(JOB, "quota"))
    return pool


def build(pool: Pool, now: datetime) -> Pool:
    """Add the clusters of all open creations."""
    for creation in pool.creations:
        if creation.is_open:
            pool, _ = add(pool, now, f"made-{creation.id}", "root", ClusterFacts("us"), creation.id)
    return pool


def open_creations(pool: Pool) -> int:
    """Return how many clusters are being created."""
    return sum(creation.is_open for creation in pool.creations)


def explained(pool: Pool, now: datetime = NOW) -> str:
    """Return the description of the policy."""
    return automatic_top_up.explain(pool, automatic_top_up.find(pool, "tess-ci"), now)


def test_missing_clusters_are_requested_up_to_the_limit(pool: Pool) -> None:
    topped = top_up(pool)
    assert open_creations(topped) == 2
    creation = topped.creations[0]
    assert (creation.user, creation.job, creation.branch, creation.purpose) == ("cimaster", "e2e", "master", "tess-ci")
    assert (creation.fields["policy"], creation.fields["force"]) == (True, True)


def test_clusters_being_created_count_as_vacant(pool: Pool) -> None:
    topped = top_up(pool)
    assert top_up(topped) is topped
    assert explained(topped) == "tess-ci: 1 of 3 vacant · 2 being created"


def test_creations_requested_by_people_count_too(pool: Pool) -> None:
    requested, _ = provisioning.create(
        pool, NOW, provisioning.CreationRequest("tess-ci", "john", "master", "e2e"), "c-j"
    )
    assert open_creations(top_up(requested)) == 2


def test_clusters_of_another_purpose_do_not_count(pool: Pool) -> None:
    for number in range(5):
        pool, _ = add(pool, NOW, f"other-{number}", "root", ClusterFacts("us", "perf"))
    assert open_creations(top_up(pool)) == 2


def test_a_policy_never_exceeds_its_limit_of_clusters(pool: Pool) -> None:
    now = NOW
    for step in range(20):
        pool = build(top_up(pool, now), now)
        now = after(hours=step)
        for name in [cluster.name for cluster in pool.vacant]:
            pool, _ = take(pool, now, Criteria("e2e", name), f"lease-{name}")
    assert len(pool.clusters) == 5
    assert "(limit of 5 clusters reached)" in explained(pool, now)


def test_a_failed_creation_with_a_running_job_counts_towards_the_limit(pool: Pool) -> None:
    pool, _ = automatic_top_up.set_policy(pool, NOW, "tess-ci", "root", PolicyTerms(max_total=3))
    topped = top_up(pool)
    for creation in topped.creations:
        topped, _ = creation_attempts.record_trigger(
            topped, NOW, creation.id, creation.idempotency_key, TriggeredJob(f"job-{creation.id}")
        )
    late = expire(topped, after(hours=3))
    assert open_creations(late) == 0
    assert top_up(late, after(hours=9)) is late
    for creation in late.creations:
        late, _ = creation_attempts.record_job_status(
            late, after(hours=9), creation.id, TriggeredJob(f"job-{creation.id}"), True, "gone"
        )
    assert open_creations(top_up(late, after(hours=20))) == 2


def test_a_disabled_cluster_is_not_vacant(pool: Pool) -> None:
    pool, _ = automatic_top_up.set_policy(pool, NOW, "tess-ci", "root", PolicyTerms(min_vacant=1))
    assert top_up(pool) is pool
    pool, _ = disable(pool, NOW, "a", "root", "broken fan")
    assert open_creations(top_up(pool)) == 1


def test_a_cooldown_separates_two_rounds(pool: Pool) -> None:
    pool = build(top_up(pool), after(minutes=1))
    pool, _ = take(pool, after(minutes=1), Criteria("e2e", "1"), "lease-1")
    assert top_up(pool, after(minutes=9)) is pool
    assert explained(pool, after(minutes=6)) == "tess-ci: 2 of 3 vacant · next try in 4 min"
    assert open_creations(top_up(pool, after(minutes=10))) == 1


def test_failures_double_the_pause_up_to_an_hour(pool: Pool) -> None:
    now, pauses = NOW, []
    for _ in range(6):
        pool = fail(top_up(pool, now), now)
        status = automatic_top_up.status(pool, automatic_top_up.find(pool, "tess-ci"), now)
        assert status.next_try
        assert top_up(pool, status.next_try - timedelta(seconds=1)) is pool
        pauses.append((status.next_try - now).total_seconds() / 60)
        now = status.next_try
    assert pauses == [10, 20, 40, 60, 60, 60]
    assert "next try in 1 h (the last one failed: quota)" in explained(pool, now - timedelta(hours=1))


def test_a_success_resets_the_pause(pool: Pool) -> None:
    pool = fail(top_up(pool), NOW)
    pool = build(top_up(pool, after(hours=1)), after(hours=1))
    pool, _ = take(pool, after(hours=1), Criteria("e2e", "1"), "lease-1")
    assert open_creations(top_up(pool, after(minutes=70))) == 1


def test_dismissing_a_failure_does_not_end_the_pause(pool: Pool) -> None:
    pool = fail(top_up(pool), NOW)
    for creation in pool.creations:
        pool, _ = provisioning.dismiss(pool, NOW, creation.id, "eve")
    assert not any(creation.is_shown for creation in pool.creations)
    assert creation_retention.trimmed(pool.creations, NOW) == pool.creations
    assert top_up(pool, after(minutes=9)) is pool
    assert open_creations(top_up(pool, after(minutes=10))) == 2


def test_a_corrected_policy_does_not_wait_for_its_past_failures(pool: Pool) -> None:
    pool = fail(top_up(pool), NOW)
    pool, _ = automatic_top_up.set_policy(pool, after(minutes=1), "tess-ci", "root", PolicyTerms(job="the-right-one"))
    topped = top_up(pool, after(minutes=1))
    assert [creation.job for creation in topped.creations if creation.is_open] == ["the-right-one"] * 2


def test_a_policy_explains_that_too_many_clusters_are_being_created(pool: Pool) -> None:
    for number in range(MAX_OPEN):
        pool, _ = provisioning.create(
            pool,
            NOW,
            provisioning.CreationRequest("perf", "cimaster", "master", "e2e", policy=True),
            f"x-{number}",
            force=True,
        )
    assert top_up(pool) is pool
    assert "50 clusters are being created for all purposes" in explained(pool)


def test_a_policy_must_name_a_job_if_there_is_no_default(pool: Pool) -> None:
    with pytest.raises(MissingParameter):
        automatic_top_up.set_policy(pool, NOW, "perf", "root", TERMS, needs_job=True)
    with_job, _ = automatic_top_up.set_policy(pool, NOW, "perf", "root", PolicyTerms(0, 1, job="e2e"), needs_job=True)
    assert automatic_top_up.set_policy(with_job, NOW, "perf", "root", PolicyTerms(max_total=2), needs_job=True)[1].text


def test_a_policy_is_active_only_in_its_hours(pool: Pool) -> None:
    pool, _ = automatic_top_up.set_policy(pool, NOW, "tess-ci", "root", PolicyTerms(hours="Mon-Fri 07:00-12:00"))
    assert top_up(pool) is pool
    assert "vacant (only active Mon-Fri 07:00-12:00 UTC)" in explained(pool)
    assert open_creations(top_up(pool, NOW - timedelta(minutes=1))) == 2
    assert top_up(pool, after(days=1, hours=-2)) is pool  # a Saturday
    pool, _ = automatic_top_up.set_policy(pool, NOW, "tess-ci", "root", PolicyTerms(hours=""))
    assert open_creations(top_up(pool)) == 2


def test_hours_use_local_time_and_may_span_midnight(pool: Pool) -> None:
    pool, answer = automatic_top_up.set_policy(
        pool, NOW, "tess-ci", "root", PolicyTerms(hours="Fri 22:00-06:00 Europe/Berlin")
    )
    assert answer.text.endswith(", Fri 22:00-06:00 Europe/Berlin")
    assert "vacant (only active Fri 22:00-06:00 Europe/Berlin)" in explained(pool)
    for hour, works in ((20, False), (21, True), (28, True), (29, False)):  # NOW is at noon of a Friday, in winter
        assert (top_up(pool, NOW.replace(hour=0) + timedelta(hours=hour)) is not pool) is works, hour


def test_a_faulty_policy_explains_its_fault_and_requests_nothing(pool: Pool) -> None:
    for hours, expected in (
        (
            "Mon 07:00-08:00 Europe/Atlantis",
            "its hours cannot be read: expected a time zone such as Europe/Berlin in place of Europe/Atlantis",
        ),
        (5, "its hours are not a text: expected days and hours, such as"),
    ):
        faulty = Policy({"purpose": "perf", "minVacant": 0, "maxTotal": 5, "hours": hours})
        assert not faulty.is_active(NOW)
        assert expected in automatic_top_up.explain(pool, faulty, NOW)
        wanting = Policy({**faulty.fields, "minVacant": 5})
        assert automatic_top_up.status(pool, wanting, NOW).wanted == 0
        assert expected in automatic_top_up.explain(pool, wanting, NOW)


def test_policies_are_independent_of_each_other(pool: Pool) -> None:
    pool, _ = automatic_top_up.set_policy(pool, NOW, "perf", "root", PolicyTerms(1, 1, job="build-perf", branch="dev"))
    topped = top_up(pool)
    assert [(c.purpose, c.job, c.branch) for c in topped.creations] == [
        ("tess-ci", "e2e", "master"),
        ("tess-ci", "e2e", "master"),
        ("perf", "build-perf", "dev"),
    ]


def test_a_policy_that_cannot_be_met_is_refused(pool: Pool) -> None:
    with pytest.raises(BadParameter) as refusal:
        automatic_top_up.set_policy(pool, NOW, "tess-ci", "root", PolicyTerms(min_vacant=6))
    assert refusal.value.facts["parameter"] == "max_total"


def test_omitted_terms_are_unchanged(pool: Pool) -> None:
    pool, answer = automatic_top_up.set_policy(pool, NOW, "tess-ci", "eve", PolicyTerms(min_vacant=1))
    policy = automatic_top_up.find(pool, "tess-ci")
    assert (policy.min_vacant, policy.max_total, policy.max_creating, policy.get_text("by")) == (1, 5, 2, "eve")
    assert answer.text == (
        "policy tess-ci: keeps 1 vacant, at most 5 clusters in total, 2 created at a time, 10m between rounds"
    )
    assert len(pool.policies) == 1


def test_removing_a_policy_keeps_its_creations(pool: Pool) -> None:
    pool, _ = automatic_top_up.remove_policy(top_up(pool), NOW, "tess-ci")
    assert (pool.policies, open_creations(pool)) == ((), 2)
    with pytest.raises(UnknownPolicy):
        automatic_top_up.remove_policy(pool, NOW, "tess-ci")


def test_a_policy_with_invalid_numbers_requests_nothing(pool: Pool) -> None:
    odd = Policy({"purpose": "tess-ci", "minVacant": "many", "maxTotal": -3, "cooldown": "soon"})
    status = automatic_top_up.status(pool, odd, NOW)
    assert (status.missing, status.wanted) == (0, 0)
