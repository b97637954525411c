"""The thread that has clusters created: it calls the provisioner, and checks the status of the provisioner's jobs.

A creation is claimed before it is started, so that no other replica starts it. Each call of the provisioner runs in
its own thread, so that a slow call does not delay others.
"""

import logging
import random
import threading
from collections.abc import Callable, Sequence

from cimaster.common.background_thread import Interrupted
from cimaster.errors import Refusal, StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.pool.decisions.creation_attempts import TriggeredJob
from cimaster.pool.records.creation import JOB, REFUSED, Creation
from cimaster.provisioners import Provisioner
from cimaster.provisioners.outcome import Built, Failure
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services.creation_claims import CreationClaims
from cimaster.services.provisioning import Provisioning
from cimaster.workers.pool_worker import PoolWorker
from cimaster.workers.retries import retry_until_written

_IDLE, _BUSY = 30.0, 2.0  # seconds between rounds while the pool does not change: without open creations, and with
_JOB_CHECK = 15.0  # seconds between two checks of a job
_MAX_STARTS, _MAX_CHECKS = 16, 4  # concurrent calls of the provisioner
_SEND_WITHIN = 30.0  # seconds after which a claim is too old to act on
_RENEW = 60.0  # seconds after which the claim on a cluster that is built here is renewed
_log = logging.getLogger(__name__)


class ProvisioningWorker(PoolWorker):
    """Starts creations and follows their jobs. Any number of workers and replicas start each creation once."""

    stops_within = 40.0

    def __init__(self, creations: Provisioning, repository: ConfigMapRepository, metrics: Metrics) -> None:
        super().__init__("provisioning", repository, metrics, creations.clock)
        self._creations = creations
        self._claims = CreationClaims(creations, repository, metrics)
        creations.on_new_work = self.wake
        self.draining: Callable[[], bool] = lambda: False
        """Whether this process is shutting down, so that no creation may be started."""
        self._calls: dict[str, threading.Thread] = {}
        self._halts: set[threading.Event] = (
            set()
        )  # one for each running start; setting it makes the provisioner give up
        self._next_check: dict[str, float] = {}

    def threads(self) -> list[threading.Thread]:
        """Return the threads of the running calls, which `wake` halts."""
        return list(self._calls.values())

    def wake(self) -> None:
        """Start the next round now; halt the running calls if the process stops."""
        super().wake()
        if self.stopping:
            for halt in list(self._halts):
                halt.set()

    def act(self) -> float:
        """Start creations and check jobs, in each replica at a slightly different time."""
        return self._start_and_check() + random.uniform(0.0, 0.2)  # noqa: S311

    def _start_and_check(self) -> float:
        """Start the calls that are due; return seconds until the next round if the pool does not change."""
        if self._creations.provisioner is None:
            return _IDLE
        self._calls = {name: call for name, call in self._calls.items() if call.is_alive()}
        self._creations.top_up()
        due, jobs = self._claims.due(), self._claims.jobs()
        for creation in () if self.draining() else due:
            self._call("start", _MAX_STARTS, self._start_creation, creation)
        self._check_jobs(jobs)
        return _BUSY if due or jobs or self._calls or self._may_have_work_soon() else _IDLE

    def _check_jobs(self, jobs: Sequence[Creation]) -> None:
        """Check the jobs that are due, longest overdue first."""
        now = self._clock.monotonic()
        self._next_check = {job.id: self._next_check.get(job.id, now + _JOB_CHECK) for job in jobs}
        for job in sorted(jobs, key=lambda job: self._next_check[job.id]):
            if self._next_check[job.id] > now:
                break
            if self._call("check", _MAX_CHECKS, self._check_job, job):
                self._next_check[job.id] = now + _JOB_CHECK

    def _may_have_work_soon(self) -> bool:
        pool = self._repository.snapshot().pool
        return bool(pool.policies) or any(creation.is_open for creation in pool.creations)

    def _call(self, what: str, most: int, act: Callable[[Creation], None], creation: Creation) -> bool:
        """Run `act` in its own thread; False if it is already running for this creation, or for too many others."""
        name = f"{what} {creation.id}"
        running = [known for known, thread in self._calls.items() if known.startswith(what) and thread.is_alive()]
        if name in running or len(running) >= most:
            return False
        self._calls[name] = threading.Thread(target=self._safely, args=(act, creation), name=name, daemon=True)
        self._calls[name].start()
        return True

    def _safely(self, act: Callable[[Creation], None], creation: Creation) -> None:
        try:
            act(creation)
        except Exception:
            _log.exception("the provisioning of creation %s failed", creation.id)
            self._metrics.thread_errors.labels("provisioning").inc()

    def _start_creation(self, creation: Creation) -> None:
        """Claim a creation, have the provisioner start it, and record the outcome."""
        called_at = self._clock.monotonic()
        try:
            claimed = self._claims.claim(creation.id)
        except StoreTrouble as trouble:  # the claim may have been written, although we will not act on it
            _log.warning("creation %s could not be claimed: %s", creation.id, trouble)
            self._write(f"the release of creation {creation.id}", lambda: self._claims.release(creation.id))
            return
        if claimed is None:
            return
        in_time = (
            self._clock.monotonic() - called_at <= _SEND_WITHIN
        )  # else the claim may end before the provisioner answers
        outcome = self._call_provisioner(claimed) if in_time else None
        if outcome is None:
            self._write(f"the release of creation {claimed.id}", lambda: self._claims.release(claimed.id))
            return
        self._log_outcome(claimed, outcome)
        self._write(f"the outcome of creation {claimed.id}", lambda: self._record(claimed, outcome))

    def _call_provisioner(self, claimed: Creation) -> TriggeredJob | Built | Failure | None:
        """Call the provisioner; None if it was halted. The claim is renewed while a cluster is built here."""
        provisioner = self._provisioner
        halt, done = threading.Event(), threading.Event()
        self._halts.add(halt)
        if self.stopping:
            halt.set()
        if provisioner.kind.builds:
            threading.Thread(
                target=self._keep_claim, args=(claimed, done, halt), name="claim renewal", daemon=True
            ).start()
        try:
            return provisioner.begin(claimed, halt)
        except Failure as failure:
            return failure
        except Interrupted:
            return None
        finally:
            done.set()
            self._halts.discard(halt)

    def _keep_claim(self, claimed: Creation, done: threading.Event, halt: threading.Event) -> None:
        """Renew a claim until the call is done; halt the call if another replica has taken over the claim."""
        while not done.wait(_RENEW):
            try:
                if not self._claims.renew(claimed.id):
                    _log.warning("another replica has taken over creation %s: it is halted here", claimed.id)
                    halt.set()
                    return
            except StoreTrouble as trouble:  # while this lasts, no other replica can claim it either
                _log.warning("the claim on creation %s is not renewed yet: %s", claimed.id, trouble)

    def _record(self, claimed: Creation, outcome: TriggeredJob | Built | Failure) -> None:
        try:
            self._claims.record_outcome(claimed, outcome)
        except Refusal as refusal:  # the cluster cannot be added to the pool
            self._claims.record_outcome(claimed, Failure(REFUSED, refusal.sentence))

    def _write(self, what: str, write: Callable[[], object]) -> None:
        retry_until_written(what, write, self._stopping)

    def _check_job(self, creation: Creation) -> None:
        try:
            job_status = self._provisioner.look(creation)
        except Failure as failure:
            _log.info("the job of creation %s cannot be checked: %s", creation.id, failure)
            return
        if job_status is not None:
            self._claims.record_job_status(creation, job_status)

    @property
    def _provisioner(self) -> Provisioner:
        assert self._creations.provisioner is not None
        return self._creations.provisioner

    @staticmethod
    def _log_outcome(creation: Creation, outcome: TriggeredJob | Built | Failure) -> None:
        facts = {"creation": creation.id, "by": creation.user, "purpose": creation.purpose, "job": creation.job}
        if isinstance(outcome, Failure):
            level = logging.WARNING if outcome.missed.kind != JOB else logging.INFO
            _log.log(level, "an attempt at a creation failed: %s", outcome, extra=facts | {"code": outcome.missed.kind})
        elif isinstance(outcome, TriggeredJob):
            _log.info("creation triggered", extra=facts | {"job_name": outcome.job_name})
        else:
            _log.info("creation built", extra=facts | {"cluster": outcome.cluster})
