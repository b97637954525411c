"""The writes of the check worker: its claims on checks and cleans of clusters, and their outcomes."""

import hashlib
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.pool import Answer, Pool
from cimaster.pool.decisions import checking
from cimaster.pool.records.cluster import Cluster
from cimaster.repository.configmap_repository import ConfigMapRepository

DURATION = timedelta(seconds=60)  # of a claim; renewed while the check or clean runs


@dataclass(frozen=True)
class CheckClaim:
    """A check or clean (its `kind`) that this process runs on a cluster: `check` is its name in the operator's file.

    A replica that takes it over uses the same `key`.
    """

    kind: str
    check: str
    cluster: Cluster
    key: str


class CheckClaims:
    """The claims of this process, which other replicas respect. Every method may raise StoreTrouble."""

    def __init__(self, repository: ConfigMapRepository) -> None:
        self._repository = repository
        self._owner = uuid.uuid4().hex[:12]

    def due(self) -> list[Cluster]:
        """Return the clusters whose check or clean a replica may claim now."""
        return checking.due(self._repository.snapshot().pool, self._repository.now())

    def claim(self, name: str) -> CheckClaim | None:
        """Claim the check or clean of a cluster; None if another replica has it, or it is no longer due."""

        def change(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
            cluster = pool.find(name)
            has_claim = cluster.check_claimed_by or cluster.check_claimed_until  # the latter also after a hold took it
            if has_claim and not self._repository.clock_is_right:
                return pool, Answer("")  # with a wrong clock, the other replica's claim may only seem to have expired
            return checking.claim(pool, now, name, self._owner, DURATION)

        done = self._repository.update(change)
        cluster = done.answer.cluster
        if not done.answer.text or cluster is None:
            return None
        return CheckClaim(cluster.checking, done.answer.text, cluster, _key(cluster))

    def has_all(self, names: Collection[str]) -> bool:
        """Say whether this process has the claims on all these clusters, as far as the newest snapshot shows."""
        pool = self._repository.snapshot().pool
        return all(checking.is_claimed(pool, name, self._owner) for name in names)

    def renew(self, names: Collection[str]) -> set[str]:
        """Extend the claims on these clusters in one write; return those that this process no longer has."""

        def change(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
            lost = []
            for name in names:
                pool, answer = checking.renew_claim(pool, now, name, self._owner, DURATION)
                if not answer.text:
                    lost.append(name)
            return pool, Answer("\n".join(lost))  # no name has a line break, but one written by hand may have blanks

        return set(self._repository.update(change, fresh=True).answer.text.splitlines())

    def release(self, name: str) -> None:
        """Release a claim, so that another replica can run the check or clean immediately."""
        self._repository.update(lambda pool, now: checking.release_claim(pool, now, name, self._owner))

    def record_outcome(self, name: str, failure: str) -> bool:
        """Write why a claimed check or clean failed, empty if it passed; False if this process lost the claim."""
        done = self._repository.update(lambda pool, now: checking.record_outcome(pool, now, name, self._owner, failure))
        return bool(done.answer.text)


def _key(cluster: Cluster) -> str:
    """Return a key that is the same for each replica that runs this check or clean, and for no other one."""
    last_lease = cluster.ended_leases[0].key if cluster.ended_leases else ""
    identity = " ".join((cluster.name, cluster.checking, cluster.get_id("checkId"), last_lease))
    return f"{cluster.checking}-{hashlib.sha256(identity.encode()).hexdigest()[:32]}"
