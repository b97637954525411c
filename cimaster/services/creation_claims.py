"""The writes of the provisioning worker: its claims on creations, and their outcomes."""

import dataclasses
import logging
import uuid
from datetime import datetime, timedelta

from cimaster import pool as decide
from cimaster.errors import UnknownCreation, WrongCreationState
from cimaster.observability.metrics import Metrics
from cimaster.pool import Answer, Pool
from cimaster.pool.decisions import creation_attempts, provisioning
from cimaster.pool.decisions.creation_attempts import TriggeredJob
from cimaster.pool.records.creation import Creation
from cimaster.provisioners.outcome import Built, Failure, JobStatus
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services.provisioning import Provisioning

_RESERVE = timedelta(seconds=60)  # by which a claim outlasts the provisioner's time-out
_BUILDING = timedelta(minutes=5)  # duration of a claim on a cluster that is built here; renewed during the build
_log = logging.getLogger(__name__)


class CreationClaims:
    """The claims of this process, which other replicas respect. Every method may raise StoreTrouble."""

    def __init__(self, creations: Provisioning, repository: ConfigMapRepository, metrics: Metrics) -> None:
        self._creations, self._repository, self._metrics = creations, repository, metrics
        self._owner = uuid.uuid4().hex[:12]

    def due(self) -> list[Creation]:
        """Return the creations that a replica may claim and start now."""
        now = self._repository.now()
        return [creation for creation in self._repository.snapshot().pool.creations if creation.is_claimable(now)]

    def jobs(self) -> list[Creation]:
        """Return the creations whose jobs are running."""
        return [c for c in self._repository.snapshot().pool.creations if c.job_runs]

    def claim(self, identity: str) -> Creation | None:
        """Claim a creation for as long as the provisioner may need; None if another replica has claimed it."""
        assert self._creations.provisioner is not None
        builds = self._creations.provisioner.kind.builds
        duration = _BUILDING if builds else self._creations.provisioner.timeout + _RESERVE

        def change(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
            takes_over = self._repository.clock_is_right  # with a wrong clock, a claim may only seem to have expired
            return creation_attempts.claim(pool, now, identity, self._owner, duration, builds, takes_over)

        done = self._repository.update(change)
        if not done.answer.text:
            return None
        creation = provisioning.find_by_id(self._repository.snapshot(done.commit).pool, identity)
        return creation if creation and creation.claimed_by == self._owner else None

    def renew(self, identity: str) -> bool:
        """Extend the claim on a cluster that is built here; False if another replica has claimed it."""
        done = self._repository.update(
            lambda pool, now: creation_attempts.renew_claim(pool, now, identity, self._owner, _BUILDING), fresh=True
        )
        return bool(done.answer.text)

    def release(self, identity: str) -> None:
        """Release a claim, so that another replica can start the creation."""
        self._repository.update(lambda pool, now: creation_attempts.release_claim(pool, now, identity, self._owner))

    def record_outcome(self, creation: Creation, outcome: TriggeredJob | Built | Failure) -> None:
        """Write the outcome of a claimed creation."""
        identity = creation.id
        if isinstance(outcome, Built):
            self._add(creation, outcome)
        elif isinstance(outcome, TriggeredJob):
            self._repository.update(
                lambda pool, now: creation_attempts.record_trigger(
                    pool, now, identity, creation.idempotency_key, outcome
                )
            )
            self._metrics.creations.labels("triggered").inc()
        else:
            self._repository.update(
                lambda pool, now: creation_attempts.record_failure(pool, now, identity, self._owner, outcome.missed)
            )
            self._metrics.creations.labels(outcome.missed.kind).inc()

    def _add(self, creation: Creation, built: Built) -> None:
        facts = dataclasses.replace(built.facts, purpose=creation.purpose)

        def add(reference: str) -> None:
            self._repository.update(
                lambda pool, now: decide.add(pool, now, built.cluster, creation.user, facts, reference)
            )

        try:
            add(creation.id)
        except (WrongCreationState, UnknownCreation) as refusal:  # the cluster exists anyway, and must not be lost
            _log.warning("cluster %s is added without its creation: %s", built.cluster, refusal)
            add("")

    def record_job_status(self, creation: Creation, job_status: JobStatus) -> None:
        """Write the status of a creation's job, if it has changed."""
        job = TriggeredJob(creation.job_name, job_status.status_link, job_status.log_link)
        self._repository.update(
            lambda pool, now: creation_attempts.record_job_status(
                pool, now, creation.id, job, job_status.ended, job_status.failure
            )
        )
