"""What a provisioner returns: a cluster, the status of a job, or why it failed."""

from dataclasses import dataclass
from datetime import timedelta

from cimaster.pool.decisions.creation_attempts import FailedAttempt, TriggeredJob
from cimaster.pool.decisions.inventory import ClusterFacts


@dataclass(frozen=True)
class Built:
    """A cluster that exists now."""

    cluster: str
    facts: ClusterFacts


@dataclass(frozen=True)
class JobStatus:
    """The status of a job; `failure` says why if it has `ended` without success."""

    ended: bool = False
    failure: str = ""
    status_link: str = ""
    log_link: str = ""


class Failure(Exception):
    """Why no cluster is being created.

    `kind` is one of those in cimaster.pool.records.creation: only REFUSED and JOB are final. `pause` is how long to
    wait before the next attempt, if the provisioner says so. `unknown`: the job may have started, so the attempt is
    repeated until the provisioner knows. `job` is a job that was started and has ended already.
    """

    def __init__(
        self,
        kind: str,
        reason: str,
        pause: timedelta | None = None,
        *,
        unknown: bool = False,
        job: TriggeredJob | None = None,
    ) -> None:
        super().__init__(reason)
        self.missed = FailedAttempt(kind, reason, pause, unknown, job)
