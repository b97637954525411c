"""The background thread that makes expiry visible: decisions never wait for it, but pages and notices do."""

import logging
import random
import threading
from datetime import timedelta

from cimaster.errors import StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.services.clusters import Clusters

_LONGEST = timedelta(minutes=10)
_AFTER_TROUBLE = 1.0  # seconds
_REST = 1.0  # seconds after a pass in which news do not wake it: under load there are dozens each second
_log = logging.getLogger(__name__)


class Reaper:
    """Writes expirations when they come. Two of them at once, here or in other replicas, are harmless."""

    def __init__(self, service: Clusters, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reaper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Finish the running pass and end the thread."""
        self._stop.set()
        self._service.repository.wake_waiters()
        self._thread.join(timeout)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            news = self._service.repository.news
            try:
                self._service.expire()
                pause = self._pause()
            except StoreTrouble as trouble:
                _log.debug("nothing expires while the store cannot be used: %s", trouble)
                pause = _AFTER_TROUBLE
            except Exception:
                _log.exception("a pass of the reaper failed")
                self._metrics.thread_errors.labels("reaper").inc()
                pause = _AFTER_TROUBLE
            if not self._stop.wait(min(pause, _REST)) and pause > _REST:
                self._service.repository.wait_for_news(pause - _REST, news)

    def _pause(self) -> float:
        """Return seconds to the next end; replicas spread out a little, so that mostly one of them writes."""
        due = self._service.repository.snapshot().pool.due
        until = min(due - self._service.repository.now(), _LONGEST) if due else _LONGEST
        return max(until.total_seconds(), 0.2) + random.uniform(0.0, 0.5)  # noqa: S311
