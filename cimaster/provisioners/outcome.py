"""What a provisioner answers: a cluster, how a job stands, or why neither."""

from dataclasses import dataclass
from datetime import timedelta

from cimaster.pool.decisions.creation_attempts import FailedAttempt, TriggeredJob
from cimaster.pool.decisions.inventory import ClusterFacts


@dataclass(frozen=True)
class Built:
    """A cluster that is there now."""

    cluster: str
    facts: ClusterFacts


@dataclass(frozen=True)
class JobStatus:
    """How a job stands: `ended` when nothing more will come of it, `failure` says why if it ended badly."""

    ended: bool = False
    failure: str = ""
    status_link: str = ""
    log_link: str = ""


class Failure(Exception):
    """Why nothing was begun, as far as anybody knows.

    `kind` is one of cimaster.pool.creation: only what was refused or ended is final. `pause` is how long to wait before
    another try, where the provisioner says so. `unknown` where it may have begun: then it is asked until it says.
    `job` is what was begun, where it has ended already.
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


class Interrupted(Exception):
    """The service stops: nobody is to blame, and another replica begins anew."""
