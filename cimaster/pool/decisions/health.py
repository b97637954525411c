"""The health of clusters: results of jobs, quarantine, and how a cluster is brought back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cimaster.common.times import format_time
from cimaster.pool.decisions import descriptions
from cimaster.pool.records.cluster import BROKEN, Cluster
from cimaster.pool.records.health import (
    BY_PERSON,
    BY_RESULTS,
    ERROR,
    HEALTH_FIELDS,
    KEPT_RESULTS,
    OK,
    PASS,
    QUARANTINED,
    SUSPECT,
    JobResult,
    bad_results_in_a_row,
)
from cimaster.pool.records.pool import Answer, Pool

_LONGEST_REASON = 500
_WRONG_CLOCK = timedelta(days=1)  # by which a clock may be wrong; a later result was written by hand


def set_health(pool: Pool, now: datetime, name: str, by: str, health: str, reason: str = "") -> tuple[Pool, Answer]:
    """Set the health of a cluster on behalf of an admin or a probe."""
    cluster = pool.find(name)
    if health == OK:
        return bring_back(pool, cluster, now, by, reason)
    if cluster.health.state == health and reason in ("", cluster.health.reason):
        return pool, Answer(f"cluster {name} was {health} already", cluster)
    changed = with_health(cluster, health, reason, BY_PERSON, now, by)
    pool = pool.changed(cluster, changed, health, now, by, reason=reason)
    drains = health == QUARANTINED and changed.lease is not None
    note = f"; {descriptions.occupant(changed)} keeps it until it finishes" if drains else ""
    return pool, Answer(f"cluster {name} is {health}{note}", changed)


def bring_back(pool: Pool, cluster: Cluster, now: datetime, by: str = "", reason: str = "") -> tuple[Pool, Answer]:
    """Make a cluster healthy again, so that it is lent; its earlier results no longer count."""
    if cluster.health.state == OK:
        return pool, Answer(f"cluster {cluster.name} was healthy already", cluster)
    healthy = without_bad_health(cluster, now)
    pool = pool.changed(cluster, healthy, "healthy", now, by, reason=reason)
    return pool, Answer(f"cluster {cluster.name} is healthy", healthy)


def with_health(cluster: Cluster, health: str, reason: str, cause: str, now: datetime, by: str = "") -> Cluster:
    """Return the record as suspect or quarantined; if it is lent again, it is vacant from now on."""
    since = cluster.health.since if cluster.health.state == health else None
    edits = _end_of_quarantine(cluster, now) if health != QUARANTINED else {}
    return cluster.edited(
        **edits,
        health=health,
        healthReason=reason[:_LONGEST_REASON] or None,
        healthSince=format_time(since or now),
        healthCause=cause,
        healthBy=by or None,
    )


def without_bad_health(cluster: Cluster, now: datetime) -> Cluster:
    """Return the record as healthy from now on; if it is lent again, it is vacant from now on."""
    edits: dict[str, Any] = {**dict.fromkeys(HEALTH_FIELDS), "healthyFrom": format_time(_after_results(cluster, now))}
    return cluster.edited(**edits, **_end_of_quarantine(cluster, now))


def _end_of_quarantine(cluster: Cluster, now: datetime) -> dict[str, Any]:
    """Return the fields to write when a cluster leaves quarantine: otherwise it would be lent before all others."""
    if cluster.health.state != QUARANTINED or cluster.lease:
        return {}
    return {"vacantSince": format_time(now)}


def _after_results(cluster: Cluster, now: datetime) -> datetime:
    """Return the time from which results count: after those stored, also if the clock of a replica is wrong."""
    return max([now, *(r.at for r in cluster.results if r.at and r.at <= now + _WRONG_CLOCK)])


def quarantine_automatically(pool: Pool, cluster: Cluster, reason: str, cause: str, now: datetime) -> Pool:
    """Quarantine a cluster; if half of its purpose's clusters would be exceeded, mark it as suspect instead."""
    if cluster.health.state == QUARANTINED:
        return pool
    if _may_quarantine(pool, cluster):
        return pool.changed(
            cluster, with_health(cluster, QUARANTINED, reason, cause, now), QUARANTINED, now, reason=reason
        )
    why_not = f"{reason}; not quarantined, because that would take more than half of the {cluster.purpose} clusters"
    return suspect(pool, cluster, why_not, cause, now)


def suspect(pool: Pool, cluster: Cluster, reason: str, cause: str, now: datetime) -> Pool:
    """Mark a cluster as suspect: it is still lent, and lists and pages say why it may be faulty."""
    if cluster.health.state == QUARANTINED:
        return pool
    marked = with_health(cluster, SUSPECT, reason, cause, now)
    if cluster.health.state == SUSPECT and cluster.health.reason == marked.health.reason:
        return pool
    return pool.changed(cluster, marked, SUSPECT, now, reason=reason)


def _may_quarantine(pool: Pool, cluster: Cluster) -> bool:
    others = [c for c in pool.clusters if c.state != BROKEN and c.purpose == cluster.purpose and c.name != cluster.name]
    quarantined = sum(other.health.state == QUARANTINED for other in others) + 1
    return 2 * quarantined <= len(others) + 1


def with_result(cluster: Cluster, result: JobResult) -> Cluster:
    """Return the record with one more result; a pass ends a suspicion that results caused."""
    results = (result, *cluster.results)[:KEPT_RESULTS]
    health = cluster.health
    is_cleared = result.result == PASS and health.state == SUSPECT and health.cause == BY_RESULTS
    return cluster.remembering(cluster.ended_leases, results, dict.fromkeys(HEALTH_FIELDS) if is_cleared else {})


def after_result(pool: Pool, cluster: Cluster, now: datetime) -> Pool:
    """Return the pool with the cluster quarantined if its last results say so."""
    bad = bad_results_in_a_row(cluster.results, cluster.get_time("healthyFrom"))
    limit = pool.rules.quarantine_after
    if not limit or sum(result.weight for result in bad) < limit:
        return pool
    return quarantine_automatically(pool, cluster, _describe(bad), BY_RESULTS, now)


def _describe(bad: Sequence[JobResult]) -> str:
    """Describe bad results, oldest first: `3 failures in a row: e2e #118, #121, #130`."""
    builds: list[str] = []
    last_job = ""
    for result in reversed(bad):
        label = f"#{result.build}" if result.job == last_job and result.build else _labelled(result)
        builds.append(f"{label} (error)" if result.result == ERROR else label)
        last_job = result.job
    failures = f"{len(bad)} failures in a row" if len(bad) > 1 else "1 failure"
    return f"{failures}: {', '.join(builds)}"


def _labelled(result: JobResult) -> str:
    return descriptions.job_label(result.job, result.build)
