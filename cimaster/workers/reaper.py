"""The thread that writes what has expired. Decisions apply it anyway; pages and lists show it once it is written."""

import logging
import random
from datetime import timedelta

from cimaster.common.background_thread import BackgroundThread
from cimaster.errors import StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.pool.decisions import hold_queue
from cimaster.services.clusters import Clusters

_LONGEST = timedelta(minutes=10)
_WHILE_PEOPLE_WAIT = timedelta(seconds=1)  # and a vacant cluster is reserved for a job that may disconnect
_AFTER_TROUBLE = 1.0  # seconds
_REST = 1.0  # seconds after a round in which changes do not start the next one: there may be dozens per second
_log = logging.getLogger(__name__)


class Reaper(BackgroundThread):
    """Writes each expiration when it is due. It may run in several replicas at the same time."""

    def __init__(self, service: Clusters, metrics: Metrics) -> None:
        super().__init__("reaper", metrics.thread_errors)
        self._service = service

    def work(self) -> None:
        """Write what has expired, then wait until the next expiry or until the pool changes."""
        seen = self._service.repository.change_count
        try:
            self._service.expire()
            pause = self._until_next_expiry()
        except StoreTrouble as trouble:
            _log.debug("nothing expires while the store cannot be used: %s", trouble)
            pause = _AFTER_TROUBLE
        if not self.pause(min(pause, _REST)) and pause > _REST:
            self._service.repository.wait_for_change(pause - _REST, seen)

    def wake(self) -> None:
        """Start the next round now."""
        super().wake()
        self._service.repository.wake_waiters()

    def _until_next_expiry(self) -> float:
        """Return seconds to the next expiry, with a random delay so that usually only one replica writes."""
        pool = self._service.repository.snapshot().pool
        longest = _WHILE_PEOPLE_WAIT if hold_queue.may_become_due(pool) else _LONGEST
        due = self._service.next_due()
        until = min(due - self._service.repository.now(), longest) if due else longest
        return max(until.total_seconds(), 0.2) + random.uniform(0.0, 0.5)  # noqa: S311
