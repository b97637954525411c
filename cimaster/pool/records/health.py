"""The health of a cluster, the last results of jobs on it, and the check or clean that it waits for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cimaster.common.times import format_time
from cimaster.pool.records.record import Fields

OK, SUSPECT, QUARANTINED = "ok", "suspect", "quarantined"
HEALTHS = (OK, SUSPECT, QUARANTINED)
PASS, FAIL, ERROR = "pass", "fail", "error"
RESULTS = (PASS, FAIL, ERROR)
CLEAN, CHECK = "clean", "check"
KEPT_RESULTS = 5

BY_RESULTS, BY_CHECKS, BY_EXPIRY, BY_PERSON = "results", "checks", "expiry", "person"
"""What changed the health: results of jobs, a failed check or clean, a lease that ran out, or a person or probe."""

HEALTH_FIELDS = ("health", "healthReason", "healthSince", "healthCause", "healthBy", "failedChecks")
HEALTH_TIMES = ("healthSince", "healthyFrom", "checkedAt", "checkAfter", "checkUntil")
CLAIM_FIELDS = ("checkBy", "checkUntil")
CHECK_FIELDS = ("checking", "checkId", "checkAfter", *CLAIM_FIELDS)


@dataclass(frozen=True)
class JobResult:
    """How a job ended on a cluster: pass, fail or error."""

    result: str
    job: str
    build: str
    at: datetime | None

    @property
    def is_bad(self) -> bool:
        """Whether it counts against the cluster."""
        return self.result in (FAIL, ERROR)

    @property
    def weight(self) -> int:
        """How much it counts towards quarantine: an error is more likely the cluster's fault than a failed test."""
        return 2 if self.result == ERROR else 1

    def written(self) -> dict[str, Any]:
        """Return the result as it is stored."""
        entry = {
            "result": self.result,
            "job": self.job,
            "build": self.build,
            "at": format_time(self.at) if self.at else "",
        }
        return {key: value for key, value in entry.items() if value}


def read_results(stored: object) -> tuple[JobResult, ...]:
    """Return the stored results, newest first, without those that cannot be read."""
    entries = stored if isinstance(stored, list) else []
    read = (Fields(entry) for entry in entries if isinstance(entry, dict))
    results = (JobResult(e.get_text("result"), e.get_text("job"), e.get_text("build"), e.get_time("at")) for e in read)
    return tuple(result for result in results if result.result in RESULTS)


@dataclass(frozen=True)
class Health:
    """The health of a cluster: ok, suspect or quarantined, why, since when, and what or which person changed it.

    `failed_checks` is how many checks and cleans failed in a row.
    """

    state: str = OK
    reason: str = ""
    since: datetime | None = None
    cause: str = ""
    by: str = ""
    failed_checks: int = 0

    @classmethod
    def read(cls, record: Fields) -> "Health":
        """Read the health of a record; an unknown value counts as ok."""
        state = record.get_text("health")
        failed_checks = record.get_number("failedChecks")
        if state not in (SUSPECT, QUARANTINED):
            return cls(failed_checks=failed_checks)
        return cls(
            state,
            record.get_text("healthReason"),
            record.get_time("healthSince"),
            record.get_text("healthCause"),
            record.get_text("healthBy"),
            failed_checks,
        )


def bad_results_in_a_row(results: Iterable[JobResult], healthy_from: datetime | None) -> list[JobResult]:
    """Return the newest bad results without a pass between them, one for each build, newest first.

    Results from before `healthy_from`, when the cluster was last brought back, do not count.
    """
    by_build: dict[tuple[str, str], JobResult] = {}
    for result in results:
        if not result.is_bad or (healthy_from and result.at and result.at <= healthy_from):
            break
        build = result.job, result.build
        if build not in by_build or result.weight > by_build[build].weight:
            by_build[build] = result
    return list(by_build.values())
