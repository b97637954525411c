"""What the courier does to creations: it claims them, and writes down what came of each."""

import dataclasses
import logging
import uuid
from datetime import datetime, timedelta

from cimaster import pool as decide
from cimaster.errors import CreationNotSo, UnknownCreation
from cimaster.observability.metrics import Metrics
from cimaster.pool import Answer, Pool
from cimaster.pool.decisions import creation_attempts, provisioning
from cimaster.pool.decisions.creation_attempts import TriggeredJob
from cimaster.pool.records.creation import Creation
from cimaster.provisioners.outcome import Built, Failure, JobStatus
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services.provisioning import Provisioning

_RESERVE = timedelta(seconds=60)  # for which a claim lasts longer than what was claimed may take
_BUILDING = timedelta(minutes=5)  # for which a claim lasts on what we build ourselves; it is renewed while we do
_log = logging.getLogger(__name__)


class CreationClaims:
    """The claims of this process, which other replicas respect. Every method may raise StoreTrouble."""

    def __init__(self, asked: Provisioning, repository: ConfigMapRepository, metrics: Metrics) -> None:
        self._asked, self._repository, self._metrics = asked, repository, metrics
        self._owner = uuid.uuid4().hex[:12]

    def due(self) -> list[Creation]:
        """Return the creations that wait for somebody who carries them out."""
        now = self._repository.now()
        return [creation for creation in self._repository.snapshot().pool.creations if creation.is_claimable(now)]

    def jobs(self) -> list[Creation]:
        """Return the creations whose jobs run."""
        return [c for c in self._repository.snapshot().pool.creations if c.job_runs]

    def claim(self, identity: str) -> Creation | None:
        """Take a creation on, for as long as the provisioner may take; None if somebody else has."""
        assert self._asked.provisioner is not None
        builds = self._asked.provisioner.kind.builds
        lasts = _BUILDING if builds else self._asked.provisioner.timeout + _RESERVE

        def change(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
            right = self._repository.clock_is_right  # with a wrong clock nobody can tell whose claim is over
            return creation_attempts.claim(pool, now, identity, self._owner, lasts, builds, takes_over=right)

        done = self._repository.update(change)
        if not done.answer.text:
            return None
        creation = provisioning.find_by_id(self._repository.snapshot(done.commit).pool, identity)
        return creation if creation and creation.claimed_by == self._owner else None

    def renew(self, identity: str) -> bool:
        """Keep the claim on what we build; say whether it is ours still."""
        done = self._repository.update(
            lambda pool, now: creation_attempts.renew_claim(pool, now, identity, self._owner, _BUILDING), fresh=True
        )
        return bool(done.answer.text)

    def let_go(self, identity: str) -> None:
        """Give a claim back, for another replica to carry on."""
        self._repository.update(lambda pool, now: creation_attempts.release_claim(pool, now, identity, self._owner))

    def write_down(self, creation: Creation, outcome: TriggeredJob | Built | Failure) -> None:
        """Write what came of a claim."""
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

        def added(reference: str) -> None:
            self._repository.update(
                lambda pool, now: decide.add(pool, now, built.cluster, creation.user, facts, reference)
            )

        try:
            added(creation.id)
        except (CreationNotSo, UnknownCreation) as refusal:  # the cluster is there: it must not be lost for that
            _log.warning("cluster %s is added without its creation: %s", built.cluster, refusal)
            added("")

    def write_standing(self, creation: Creation, standing: JobStatus) -> None:
        """Write how a job stands, where that is news."""
        said = TriggeredJob(creation.job_name, standing.status_link, standing.log_link)
        self._repository.update(
            lambda pool, now: creation_attempts.record_job_status(
                pool, now, creation.id, said, standing.ended, standing.failure
            )
        )
