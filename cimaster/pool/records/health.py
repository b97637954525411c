"""The health of a cluster, the last results of jobs on it, and the check or clean that it waits for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cimaster.common.times import format_time
from cimaster.pool.records.record import Fields
from cimaster.pool.records.short_forms import TIME_LENGTH, long_time, unpadded

OK, SUSPECT, QUARANTINED = "ok", "suspect", "quarantined"
HEALTHS = (OK, SUSPECT, QUARANTINED)
PASS, FAIL, ERROR = "pass", "fail", "error"
RESULTS = (PASS, FAIL, ERROR)
CLEAN, CHECK = "clean", "check"
KEPT_RESULTS = 5
SHORT_RESULTS, LONG_RESULTS = ("lastResults", "results")
"""The members of the record in which earlier versions stored the results."""

LETTERS = {PASS: "p", FAIL: "f", ERROR: "e"}
"""The letter that is stored for each result."""

RESULT_OF = {letter: result for result, letter in LETTERS.items()}
"""The result that each of these letters stands for."""

_NAMES_START = 1 + TIME_LENGTH  # of job and build in the short form
_SEPARATOR = "\t"  # of job and build in the short form; no printable text has it
_MEMBERS = ("result", "job", "build", "at")

BY_RESULTS, BY_CHECKS, BY_EXPIRY, BY_PERSON = "results", "checks", "expiry", "person"
"""What changed the health: results of jobs, a failed check or clean, a lease that ran out, or a person or probe."""

HEALTH_FIELDS = ("health", "healthReason", "healthSince", "healthCause", "healthBy", "failedChecks")
HEALTH_TIMES = ("healthSince", "healthyFrom", "checkedAt", "checkAfter", "checkUntil")
CLAIM_FIELDS = ("checkBy", "checkUntil")
CHECK_FIELDS = ("checking", "checkId", "checkAfter", *CLAIM_FIELDS)
INTERRUPTED_FIELDS = {CLEAN: ("checkBy",), CHECK: ("checking", "checkId", "checkAfter", "checkBy")}
"""What a hold removes. `checkUntil` stays, because the replica may need until then to end its program."""


@dataclass(frozen=True)
class JobResult:
    """How a job ended on a cluster: pass, fail or error."""

    result: str
    job: str
    build: str
    at: datetime | None

    @classmethod
    def of(cls, result: str, job: str, build: str, now: datetime) -> "JobResult":
        """Return the result of a job that ends now, as it would be read from the record."""
        return cls(result, job, build, now.replace(microsecond=0))

    @property
    def is_bad(self) -> bool:
        """Whether it counts against the cluster."""
        return self.result in (FAIL, ERROR)

    @property
    def weight(self) -> int:
        """How much it counts towards quarantine: an error is more likely the cluster's fault than a failed test."""
        return 2 if self.result == ERROR else 1

    @classmethod
    def read(cls, entry: object) -> "JobResult":
        """Read a result that an earlier version stored: a text, a list of its members, or an object."""
        if isinstance(entry, str):
            job, _, build = entry[_NAMES_START:].partition(_SEPARATOR)
            return cls(RESULT_OF.get(entry[:1], ""), job, build, long_time(unpadded(entry[1:_NAMES_START])))
        members = dict(zip(_MEMBERS, entry, strict=False)) if isinstance(entry, list) else entry
        fields = Fields(members if isinstance(members, dict) else {})
        return cls(fields.get_text("result"), fields.get_text("job"), fields.get_text("build"), fields.get_time("at"))

    def described(self) -> dict[str, str]:
        """Return the result as callers see it."""
        at = format_time(self.at) if self.at else ""
        return dict(zip(_MEMBERS, (self.result, self.job, self.build, at), strict=True))


def read_results(stored: object) -> tuple[JobResult, ...]:
    """Read a list of results that an earlier version stored."""
    return tuple(map(JobResult.read, stored)) if isinstance(stored, list) else ()


@dataclass(frozen=True)
class Health:
    """The health of a cluster: ok, suspect or quarantined; why and since when; the cause, and the person if one set it.

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
