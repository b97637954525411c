"""The background thread that has clusters created: it tells the provisioner, and asks it how its jobs are doing.

What it does is recorded first, in a claim that other replicas respect, and each effect has a thread of its own: one
that takes long holds up nothing else.
"""

import logging
import random
import threading
from collections.abc import Callable

from cimaster.common.background_thread import BackgroundThread
from cimaster.errors import Refusal, StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.pool.decisions.creation_attempts import TriggeredJob
from cimaster.pool.records.creation import JOB, REFUSED, Creation
from cimaster.provisioners import Provisioner
from cimaster.provisioners.outcome import Built, Failure, Interrupted
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services.creation_claims import CreationClaims
from cimaster.services.provisioning import Provisioning

_REST = 1.0  # seconds after a pass in which news do not wake it, only what was asked for here: each look is a read
_IDLE, _BUSY = 30.0, 1.0  # seconds between passes without news, while nothing is on its way and while something is
_LOOK = 15.0  # seconds between two looks at a job
_MOST, _MOST_LOOKS = 16, 4  # creations begun, and jobs looked at, at once
_SEND_WITHIN = 30.0  # seconds after which a claim is too old to act on
_RENEW = 60.0  # seconds after which a claim is renewed on what is built here
_AFTER_TROUBLE = 1.0  # seconds
_log = logging.getLogger(__name__)


class ProvisioningWorker(BackgroundThread):
    """Carries out what creations need. Two of them at once, here or in other replicas, do each thing once."""

    def __init__(self, creations: Provisioning, repository: ConfigMapRepository, metrics: Metrics) -> None:
        super().__init__("provisioning", metrics.thread_errors)
        self._creations, self._repository, self._metrics = creations, repository, metrics
        self._claims = CreationClaims(creations, repository, metrics)
        creations.on_new_work = self.wake
        self.draining: Callable[[], bool] = lambda: False  # whether this process ends, and begins nothing more
        self._effects: dict[str, threading.Thread] = {}
        self._halts: set[threading.Event] = set()  # one for each that is being begun: set, it ends what it can end
        self._next_look: dict[str, float] = {}

    def stop(self, timeout: float = 40.0) -> None:
        """Let what is under way end, for at most `timeout` seconds, and end the thread."""
        ends = self._creations.clock.monotonic() + timeout
        super().stop(timeout)
        for effect in list(self._effects.values()):
            effect.join(max(ends - self._creations.clock.monotonic(), 0.0))

    def wake(self) -> None:
        """Start the next round now."""
        super().wake()
        if self.stopping:
            for halt in list(self._halts):
                halt.set()
        self._repository.wake_waiters()

    def work(self) -> None:
        """Begin and look after what creations need, then wait until there may be more to do."""
        news = self._repository.news
        try:
            pause = self._pass()
        except StoreTrouble as trouble:
            _log.debug("nothing is carried out while the store cannot be used: %s", trouble)
            pause = _AFTER_TROUBLE
        if not self.pause(_REST):
            self._repository.wait_for_news(pause + random.uniform(0.0, 0.2), news)  # noqa: S311 replicas spread out

    def _pass(self) -> float:
        """Begin what is to be done; return seconds until the next pass, if there are no news before."""
        if self._creations.provisioner is None:
            return _IDLE
        self._effects = {name: effect for name, effect in self._effects.items() if effect.is_alive()}
        self._creations.top_up()
        due, jobs = self._claims.due(), self._claims.jobs()
        for creation in () if self.draining() else due:
            self._effect("begin", _MOST, self._carry_out, creation)
        now = self._creations.clock.monotonic()
        self._next_look = {job.id: self._next_look.get(job.id, now + _LOOK) for job in jobs}
        for job in sorted(jobs, key=lambda job: self._next_look[job.id]):  # who has waited longest goes first
            if self._next_look[job.id] > now:
                break
            if self._effect("look", _MOST_LOOKS, self._look, job):
                self._next_look[job.id] = now + _LOOK
        return _BUSY if due or jobs or self._effects or self._waits() else _IDLE

    def _waits(self) -> bool:
        pool = self._repository.snapshot().pool
        return bool(pool.policies) or any(creation.is_open for creation in pool.creations)

    def _effect(self, what: str, most: int, act: Callable[[Creation], None], creation: Creation) -> bool:
        """Let a thread of its own act, unless one does already or too many do; say whether one has begun."""
        name = f"{what} {creation.id}"
        running = [known for known, thread in self._effects.items() if known.startswith(what) and thread.is_alive()]
        if name in running or len(running) >= most:
            return False
        self._effects[name] = threading.Thread(target=self._safely, args=(act, creation), name=name, daemon=True)
        self._effects[name].start()
        return True

    def _safely(self, act: Callable[[Creation], None], creation: Creation) -> None:
        try:
            act(creation)
        except Exception:
            _log.exception("creation %s could not be carried on", creation.id)
            self._metrics.thread_errors.labels("provisioning").inc()

    def _carry_out(self, creation: Creation) -> None:
        provisioner, clock = self._creations.provisioner, self._creations.clock
        assert provisioner is not None
        began = clock.monotonic()
        try:
            claimed = self._claims.claim(creation.id)
        except StoreTrouble as trouble:  # it may be written, and nobody would act on it
            _log.warning("creation %s could not be claimed: %s", creation.id, trouble)
            self._until_written(lambda: self._claims.let_go(creation.id))
            return
        if claimed is None:
            return
        if clock.monotonic() - began > _SEND_WITHIN:  # it may be over before an answer could come
            self._until_written(lambda: self._claims.let_go(claimed.id))
            return
        outcome = self._begun(provisioner, claimed)
        if outcome is None:
            self._until_written(lambda: self._claims.let_go(claimed.id))
            return
        self._log_outcome(claimed, outcome)
        self._until_written(lambda: self._write_down(claimed, outcome))

    def _begun(self, provisioner: Provisioner, claimed: Creation) -> TriggeredJob | Built | Failure | None:
        """Have the provisioner begin; None if it was halted. What it builds itself stays claimed while it does."""
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
        """Renew a claim until all is done; halt if somebody else has taken it over."""
        while not done.wait(_RENEW):
            try:
                if not self._claims.renew(claimed.id):
                    _log.warning("creation %s is carried on by somebody else: it is halted here", claimed.id)
                    halt.set()
                    return
            except StoreTrouble as trouble:  # nobody else can claim it either, as long as this lasts
                _log.warning("the claim on creation %s is not renewed yet: %s", claimed.id, trouble)

    def _write_down(self, claimed: Creation, outcome: TriggeredJob | Built | Failure) -> None:
        try:
            self._claims.write_down(claimed, outcome)
        except Refusal as refusal:  # the pool will not have the cluster
            self._claims.write_down(claimed, Failure(REFUSED, refusal.sentence))

    def _until_written(self, write: Callable[[], None]) -> None:
        """Write an outcome, however long the store is away; if the process ends first, the claim runs out."""
        while True:
            try:
                write()
            except StoreTrouble as trouble:
                _log.warning("what came of a creation is not written yet: %s", trouble)
                if self._stopping.wait(_AFTER_TROUBLE):
                    return
            else:
                return

    def _look(self, creation: Creation) -> None:
        provisioner = self._creations.provisioner
        assert provisioner is not None
        try:
            standing = provisioner.look(creation)
        except Failure as failure:
            _log.info("the job of creation %s cannot be looked at: %s", creation.id, failure)
            return
        if standing is not None:
            self._claims.write_standing(creation, standing)

    @staticmethod
    def _log_outcome(creation: Creation, outcome: TriggeredJob | Built | Failure) -> None:
        told = {"creation": creation.id, "by": creation.user, "purpose": creation.purpose, "job": creation.job}
        if isinstance(outcome, Failure):
            level = logging.WARNING if outcome.missed.kind != JOB else logging.INFO
            _log.log(level, "a try of a creation failed: %s", outcome, extra=told | {"code": outcome.missed.kind})
        elif isinstance(outcome, TriggeredJob):
            _log.info("creation triggered", extra=told | {"job_name": outcome.job_name})
        else:
            _log.info("creation built", extra=told | {"cluster": outcome.cluster})
