"""The thread that moves history into the archive, so that the pool's object stays small."""

import logging
import random
from contextlib import suppress

from cimaster.errors import StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.history_ring import ArchiveBusy
from cimaster.services.archiving import Archiving
from cimaster.workers.pool_worker import PoolWorker

_PAUSE = 30.0  # seconds between rounds while the pool does not change
_FIRST_CLAIM = 0.5  # seconds, at most, that a replica without the claim waits for another one to archive
_log = logging.getLogger(__name__)


class Archiver(PoolWorker):
    """Archives what is due. In any number of replicas, one at a time does it."""

    rest = 0.2
    after_trouble = 5.0

    def __init__(self, archiving: Archiving, repository: ConfigMapRepository, metrics: Metrics) -> None:
        super().__init__("archiver", repository, metrics)
        self._archiving = archiving
        self._is_read = False

    def stop(self, timeout: float | None = None) -> None:
        """End the thread after its current round, and give up the claim."""
        super().stop(timeout)
        with suppress(StoreTrouble):  # without that, another replica waits until the claim ends
            self._archiving.release()

    def act(self) -> float:
        """Archive what is due."""
        try:
            self._read_first()
            self._archive_due()
        except ArchiveBusy as busy:
            _log.info("the archive is read again: %s", busy)
        return _PAUSE

    def note_trouble(self, trouble: StoreTrouble) -> None:
        """Log and count that history was not archived."""
        _log.warning("history is not archived: %s", trouble, extra={"code": trouble.code})
        self._metrics.archive_errors.inc()

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
