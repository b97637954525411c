"""The thread that writes what has expired. Decisions apply it anyway; pages and lists show it once it is written."""

import random
from datetime import timedelta

from cimaster.observability.metrics import Metrics
from cimaster.pool.decisions import hold_queue
from cimaster.services.clusters import Clusters
from cimaster.workers.pool_worker import PoolWorker

_LONGEST = timedelta(minutes=10)
_WHILE_PEOPLE_WAIT = timedelta(seconds=1)  # and a vacant cluster is reserved for a job that may disconnect


class Reaper(PoolWorker):
    """Writes each expiration when it is due. It may run in several replicas at the same time."""

    def __init__(self, service: Clusters, metrics: Metrics) -> None:
        super().__init__("reaper", service.repository, metrics)
        self._service = service

    def act(self) -> float:
        """Write what has expired; return the seconds to the next expiry."""
        self._service.expire()
        return self._until_next_expiry()

    def _until_next_expiry(self) -> float:
        """Return seconds to the next expiry, with a random delay so that usually only one replica writes."""
        pool = self._repository.snapshot().pool
        longest = _WHILE_PEOPLE_WAIT if hold_queue.may_become_due(pool) else _LONGEST
        due = self._service.next_due()
        until = min(due - self._repository.now(), longest) if due else longest
        return max(until.total_seconds(), 0.2) + random.uniform(0.0, 0.5)  # noqa: S311
