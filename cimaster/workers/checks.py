"""The thread that checks and cleans clusters: it claims what is due, so that no other replica does it too.

Each check runs in a thread of its own, and takes never wait for one.
"""

import logging
import threading
from collections.abc import Callable

from cimaster.checks import DefinedChecks
from cimaster.common.background_thread import Interrupted
from cimaster.common.clock import Clock
from cimaster.errors import Refusal, StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services import check_claims
from cimaster.services.check_claims import CheckClaim, CheckClaims
from cimaster.workers.pool_worker import PoolWorker
from cimaster.workers.retries import retry_until_written

_MAX_RUNS = 8  # concurrent checks and cleans of a replica
_PAUSE = 5.0  # seconds between rounds while the pool does not change
_RENEW = 20.0  # seconds between renewals of the claims
_RESERVE = 15.0  # seconds before the end of a claim at which its run is interrupted; a program may need 10 to end
_log = logging.getLogger(__name__)


class CheckRun:
    """A check or clean of one cluster, in a thread of its own; `stop` interrupts it.

    It is also interrupted when its claim is about to end, for example because this replica cannot reach the store:
    another replica could go on, and the cluster be lent, while this one still cleans it.
    """

    def __init__(self, name: str, act: Callable[["CheckRun"], None]) -> None:
        self.name = name
        self.claim: CheckClaim | None = None
        self.renewed_at = 0.0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=act, args=(self,), name=f"check {name}", daemon=True)
        self._ended = False
        self._timer = threading.Timer(0.0, self.stop.set)

    @property
    def holds_claim(self) -> bool:
        """Whether it runs under a claim, which must be renewed."""
        return self.claim is not None and not self._ended

    def keep(self, renewed_at: float, seconds: float) -> None:
        """Note when the claim was last renewed, and let the run go on for some seconds from now."""
        self._timer.cancel()
        self.renewed_at = renewed_at
        if not self._ended:
            self._timer = threading.Timer(seconds, self.stop.set)
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """Note that the check or clean itself has ended."""
        self._ended = True
        self._timer.cancel()


class CheckWorker(PoolWorker):
    """Runs the checks and cleans that are due. Any number of replicas run each of them once."""

    stops_within = 20.0

    def __init__(
        self, checks: DefinedChecks, repository: ConfigMapRepository, metrics: Metrics, clock: Clock | None = None
    ) -> None:
        super().__init__("checks", repository, metrics, clock)
        self._checks = checks
        self._claims = CheckClaims(repository)
        self.draining: Callable[[], bool] = lambda: False
        """Whether this process is shutting down, so that no check may be started."""
        self._runs: dict[str, CheckRun] = {}

    def threads(self) -> list[threading.Thread]:
        """Return the threads of the running checks; `wake` interrupts them, and they release their claims."""
        return [run.thread for run in list(self._runs.values())]

    def wake(self) -> None:
        """Start the next round now; interrupt the running checks if the process stops."""
        super().wake()
        if self.stopping:
            for run in list(self._runs.values()):
                run.stop.set()

    def act(self) -> float:
        """Renew the claims, and start what is due."""
        self._renew_claims()
        self._start_due()
        return _PAUSE

    def _renew_claims(self) -> None:
        """Renew the claims of the running checks when it is time, and interrupt those that this replica has lost.

        A hold takes a claim away: then the program must end soon, and not only when the next renewal is due.
        """
        running = {run.name: run for run in list(self._runs.values()) if run.holds_claim}
        began = self._clock.monotonic()
        is_time = any(began - run.renewed_at >= _RENEW for run in running.values())
        if not is_time and self._claims.has_all(running):
            return
        lost = self._claims.renew(running)
        for name, run in running.items():
            if name not in lost:
                self._keep(run, began)
            elif run.holds_claim:  # it has not ended meanwhile
                _log.warning("cluster %s: its check is interrupted, because this replica has lost the claim", name)
                run.stop.set()

    def _keep(self, run: CheckRun, began: float) -> None:
        """Let a run go on until shortly before the end of the claim that was requested when `began` was the time."""
        ends = began + check_claims.DURATION.total_seconds() - _RESERVE
        run.keep(began, max(ends - self._clock.monotonic(), 0.0))

    def _start_due(self) -> None:
        due = self._claims.due()
        if not due or self.draining():
            return
        for cluster in due:
            if len(self._runs) >= _MAX_RUNS or self.stopping:
                return
            if cluster.name not in self._runs:
                run = self._runs[cluster.name] = CheckRun(cluster.name, self._carry_out)
                run.thread.start()

    def _carry_out(self, run: CheckRun) -> None:
        try:
            self._claim_and_check(run)
        except Exception:
            _log.exception("the check of cluster %s could not be carried out", run.name)
            self._metrics.thread_errors.labels("checks").inc()
        finally:
            del self._runs[run.name]
            if run.claim is not None:  # else the next round would try to claim it again without a pause
                self.wake()

    def _claim_and_check(self, run: CheckRun) -> None:
        if self.stopping:  # `wake` may have interrupted the runs before this one was added to them
            return
        began = self._clock.monotonic()
        try:
            claim = self._claims.claim(run.name)
        except Refusal:  # the cluster was deleted
            return
        except StoreTrouble as trouble:  # the claim may have been written, although we will not act on it
            _log.warning("the check of cluster %s could not be claimed: %s", run.name, trouble)
            self._write(f"the release of the claim on cluster {run.name}", lambda: self._claims.release(run.name))
            return
        if claim is None:
            return
        self._keep(run, began)
        run.claim = claim  # from now on the thread that renews claims keeps the run, too
        failure = self._failure(claim, run.stop)
        run.end()
        seconds = self._clock.monotonic() - began
        if failure is None:
            self._log_outcome(claim, "interrupted", "", seconds)
            self._write(f"the release of the claim on cluster {run.name}", lambda: self._claims.release(run.name))
            return
        self._log_outcome(claim, "failed" if failure else "passed", failure, seconds)
        self._write(f"the outcome for cluster {run.name}", lambda: self._claims.record_outcome(run.name, failure))

    def _failure(self, claim: CheckClaim, stop: threading.Event) -> str | None:
        """Run the check; return why it failed, empty if it passed, None if it was interrupted."""
        try:
            return self._checks.run(claim.check, claim.cluster, claim.key, stop)
        except Interrupted:
            return None
        except Exception as error:
            _log.exception("the check %s cannot be run", claim.check)
            self._metrics.thread_errors.labels("checks").inc()
            return f"{claim.check} cannot be run ({type(error).__name__}): its log line says why"

    def _write(self, what: str, write: Callable[[], object]) -> None:
        retry_until_written(what, write, self._stopping)

    def _log_outcome(self, claim: CheckClaim, outcome: str, failure: str, seconds: float) -> None:
        self._metrics.checks.labels(claim.kind, outcome).inc()
        facts = {"cluster": claim.cluster.name, "purpose": claim.cluster.purpose, "check": claim.check}
        level = logging.WARNING if failure else logging.INFO
        sentence = f"{claim.kind} {outcome}" + (f": {failure}" if failure else "")
        _log.log(level, "%s", sentence, extra=facts | {"seconds": round(seconds, 3)})
