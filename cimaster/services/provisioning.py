"""Have clusters created, on request of people and by the policies of automatic top-up."""

import threading
import uuid
from collections.abc import Callable, Sequence

from cimaster.common.clock import Clock
from cimaster.errors import (
    CreationFailed,
    MissingParameter,
    NoProvisioner,
    ProvisionerTimeout,
    ProvisionerUnreachable,
    Refusal,
    RequestOver,
)
from cimaster.observability.metrics import Metrics
from cimaster.pool import UNVERIFIED, Caller, Request
from cimaster.pool.decisions import automatic_top_up, provisioning
from cimaster.pool.decisions.automatic_top_up import PolicyTerms
from cimaster.pool.decisions.provisioning import CreationRequest
from cimaster.pool.records.creation import FAILED, REQUESTED, TIMEOUT, UNREACHABLE, Creation
from cimaster.pool.records.policy import Policy
from cimaster.provisioners import Provisioner
from cimaster.repository.configmap_repository import Committed, ConfigMapRepository
from cimaster.repository.snapshots import Snapshot
from cimaster.services.decisions import idempotent
from cimaster.settings import Settings

WAIT = 25.0  # seconds for which a request waits until its creation has started
_CHECK = 0.1  # seconds between two checks; under load the pool changes more often than that
BRANCH = "master"


class Provisioning:
    """Operations on creations and policies. Every method raises the decision's Refusal, or StoreTrouble."""

    def __init__(
        self,
        repository: ConfigMapRepository,
        provisioner: Provisioner | None,
        settings: Settings,
        metrics: Metrics,
        clock: Clock | None = None,
    ) -> None:
        self.provisioner = provisioner
        self.manages = settings.manage_cluster
        self.default_job = settings.default_prow_job
        self.clock = clock or Clock()
        self._repository, self._metrics = repository, metrics
        self.on_new_work: Callable[[], None] = lambda: None  # called after a creation was requested here
        self._waiters = threading.BoundedSemaphore(max(settings.threads // 4, 1))

    @property
    def why_none(self) -> str:
        """Why no cluster can be created here; empty if clusters can."""
        if self.provisioner is not None:
            return ""
        return "no provisioner is configured: an operator must set CIMASTER_PROW_URL or CIMASTER_PROVISIONER"

    @property
    def why_idle(self) -> str:
        """Why policies have no effect here; empty if they do."""
        return self.why_none or ("" if self.manages else "an operator must set CIMASTER_MANAGE_CLUSTER=on")

    @property
    def needs_job(self) -> bool:
        """Whether a caller must name the job that creates the cluster."""
        return not self.default_job and self.provisioner is not None and not self.provisioner.kind.builds

    def creation_request(self, purpose: str, user: str, branch: str, job: str, owner: str = "") -> CreationRequest:
        """Return a request with defaults for missing values; it counts towards the owner's limits."""
        if not job and self.needs_job:
            raise MissingParameter(automatic_top_up.JOB_NEEDED, parameter="job")
        return CreationRequest(purpose, user, branch or BRANCH, job or self.default_job, owner=owner)

    def create(self, wanted: CreationRequest, force: bool = False, request: Request | None = None) -> Committed:
        """Request a creation; the answer's text is its id."""
        if self.why_none:
            raise NoProvisioner(self.why_none)
        identity = f"c-{uuid.uuid4().hex[:12]}"
        done = self._repository.update(idempotent(provisioning.create, request, wanted, identity, force))
        if not done.answer.repeated:
            self._metrics.creations.labels("requested").inc()
        self.on_new_work()
        return done

    def wait_until_started(self, identity: str, commit: int) -> Creation:
        """Return the creation once its cluster is being created, or in its current state after 25 seconds.

        If it failed, raises a Refusal with the reason. At most a quarter of the threads wait here, so that an
        unresponsive provisioner leaves the others to jobs; further callers are answered immediately.
        """
        ends = self.clock.monotonic() + WAIT
        may_wait = self._waiters.acquire(blocking=False)
        try:
            while True:
                creation = self._creation(self._repository.snapshot(commit), identity)
                left = ends - self.clock.monotonic()
                if creation.state != REQUESTED or left <= 0 or not may_wait:
                    break
                self.clock.rest(min(left, _CHECK))
        finally:
            if may_wait:
                self._waiters.release()
        if creation.state == FAILED:
            raise self._failure(creation)
        return creation

    @staticmethod
    def _creation(snapshot: Snapshot, identity: str) -> Creation:
        found = provisioning.find_by_id(snapshot.pool, identity)
        if found is None:
            raise RequestOver(f"creation {identity} was dismissed meanwhile: request another one", creation=identity)
        return found

    @staticmethod
    def _failure(creation: Creation) -> Refusal:
        kinds: dict[str, type[Refusal]] = {UNREACHABLE: ProvisionerUnreachable, TIMEOUT: ProvisionerTimeout}
        kind = kinds.get(creation.failure, CreationFailed)
        sentence = f"creation {creation.id} failed: {creation.reason}"
        return kind(sentence, creation=creation.id, job_name=creation.job_name)

    def retry(self, identity: str, by: str, request: Request | None = None, caller: Caller = UNVERIFIED) -> Committed:
        """Request a failed creation again; it counts towards the caller's limits from now on."""
        done = self._repository.update(idempotent(provisioning.retry, request, identity, by, caller))
        self.on_new_work()
        return done

    def dismiss(self, identity: str, by: str, request: Request | None = None, caller: Caller = UNVERIFIED) -> Committed:
        """Remove a creation from the lists."""
        return self._repository.update(idempotent(provisioning.dismiss, request, identity, by, caller))

    def set_policy(
        self, purpose: str, by: str, terms: PolicyTerms, request: Request | None = None, new: bool | None = None
    ) -> Committed:
        """Set how many clusters of a purpose are kept vacant, or change a policy's terms."""
        change = idempotent(automatic_top_up.set_policy, request, purpose, by, terms, new, needs_job=self.needs_job)
        return self._repository.update(change)

    def remove_policy(self, purpose: str, request: Request | None = None) -> Committed:
        """Stop keeping clusters of a purpose vacant."""
        return self._repository.update(idempotent(automatic_top_up.remove_policy, request, purpose))

    def explained(self, snapshot: Snapshot) -> list[tuple[Policy, str]]:
        """Return the policies, each with a description of its current state."""
        pool, now, idle = snapshot.pool, self._repository.now(), self.why_idle
        off = f" (it has no effect: {idle})" if idle else ""
        return [(p, automatic_top_up.explain(pool, p, now, acts=not idle) + off) for p in pool.policies]

    def top_up(self) -> Sequence[str]:
        """Request what the policies want now; return the ids of the new creations."""
        pool, now = self._repository.snapshot().pool, self._repository.now()
        if not self.manages or self.provisioner is None or not self._repository.clock_is_right:
            return ()
        wanted = sum(automatic_top_up.status(pool, policy, now).wanted for policy in pool.policies)
        if not wanted:
            return ()
        identities = [f"c-{uuid.uuid4().hex[:12]}" for _ in range(wanted)]
        done = self._repository.update(
            lambda pool, now: automatic_top_up.top_up(pool, now, identities, self.default_job, BRANCH)
        )
        made = done.answer.text.split()
        self._metrics.creations.labels("requested").inc(len(made))
        return made
