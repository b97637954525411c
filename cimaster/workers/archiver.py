"""The thread that moves history into the archive, so that the pool's object stays small."""

import logging
import random
from contextlib import suppress

from cimaster.common.background_thread import BackgroundThread
from cimaster.errors import StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.history_ring import ArchiveBusy
from cimaster.services.archiving import Archiving

_REST = 0.2  # seconds after a round in which changes do not start the next one: there may be dozens per second
_PAUSE = 30.0  # seconds between rounds while the pool does not change
_FIRST_CLAIM = 0.5  # seconds, at most, that a replica without the claim waits for another one to archive
_AFTER_TROUBLE = 5.0  # seconds
_log = logging.getLogger(__name__)


class Archiver(BackgroundThread):
    """Archives what is due. In any number of replicas, one at a time does it."""

    def __init__(self, archiving: Archiving, repository: ConfigMapRepository, metrics: Metrics) -> None:
        super().__init__("archiver", metrics.thread_errors)
        self._archiving, self._repository = archiving, repository
        self._archive_errors = metrics.archive_errors
        self._is_read = False

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread after its current round, and give up the claim."""
        super().stop(timeout)
        with suppress(StoreTrouble):  # without that, another replica waits until the claim ends
            self._archiving.release()

    def wake(self) -> None:
        """Start the next round now."""
        super().wake()
        self._repository.wake_waiters()

    def work(self) -> None:
        """Archive what is due, then wait until there may be more."""
        seen = self._repository.change_count
        try:
            self._read_first()
            self._archive_due()
        except ArchiveBusy as busy:
            _log.info("the archive is read again: %s", busy)
        except StoreTrouble as trouble:
            _log.warning("history is not archived: %s", trouble, extra={"code": trouble.code})
            self._archive_errors.inc()
            self.pause(_AFTER_TROUBLE)
        if not self.pause(_REST):
            self._repository.wait_for_change(_PAUSE, seen)

    def _read_first(self) -> None:
        """Read the archive after the start, so that the first visitor of the history need not wait for that."""
        if not self._is_read:
            self._repository.history_ring.slots()
            self._is_read = True

    def _archive_due(self) -> None:
        if not self._archiving.is_due():
            return
        if not self._archiving.has_claim and self.pause(random.uniform(0.0, _FIRST_CLAIM)):  # noqa: S311
            return
        if self._archiving.is_due():
            self._archiving.archive()
