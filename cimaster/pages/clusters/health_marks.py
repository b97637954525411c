"""The health of a cluster as pages show it: a word, the reason, and a strip of the last results."""

from dataclasses import dataclass
from datetime import datetime

from cimaster.pool.decisions import descriptions
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.health import OK, JobResult


@dataclass(frozen=True)
class ResultMark:
    """The result of one job: pass, fail or error; which job it was, and when it ended."""

    result: str
    job: str
    at: datetime | None


@dataclass(frozen=True)
class HealthMark:
    """The health of a cluster; `reason` is a sentence, empty if it is healthy. Results are oldest first."""

    state: str
    reason: str
    since: datetime | None
    results: tuple[ResultMark, ...]

    @property
    def is_ok(self) -> bool:
        """Whether nothing is known against the cluster."""
        return self.state == OK


def mark(cluster: Cluster) -> HealthMark:
    """Return what pages show of the health of a cluster."""
    results = tuple(_result(result) for result in reversed(cluster.results))
    health = cluster.health
    reason = descriptions.health(cluster) if health.state != OK else ""
    return HealthMark(health.state, reason, health.since, results)


def _result(result: JobResult) -> ResultMark:
    return ResultMark(result.result, descriptions.job_label(result.job, result.build), result.at)
