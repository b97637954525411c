"""The loop of the threads that act on the pool: whenever it changes, and otherwise after a while."""

import logging
import threading
from collections.abc import Sequence

from cimaster.common.background_thread import BackgroundThread
from cimaster.common.clock import Clock
from cimaster.errors import StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.repository.configmap_repository import ConfigMapRepository

_log = logging.getLogger(__name__)


class PoolWorker(BackgroundThread):
    """Acts on the pool in rounds; subclasses define `act`."""

    rest = 1.0  # seconds after a round in which changes do not start the next one: there may be dozens per second
    after_trouble = 1.0  # seconds to the next round if the store could not be used
    stops_within = 5.0  # seconds

    def __init__(
        self, name: str, repository: ConfigMapRepository, metrics: Metrics, clock: Clock | None = None
    ) -> None:
        super().__init__(name, metrics.thread_errors)
        self._repository, self._metrics, self._clock = repository, metrics, clock or Clock()

    def act(self) -> float:
        """Do what is due; return the seconds to the next round if the pool does not change. May raise StoreTrouble."""
        raise NotImplementedError

    def work(self) -> None:
        """Act, then wait until there may be more to do."""
        seen = self._repository.change_count
        try:
            seconds = self.act()
        except StoreTrouble as trouble:
            self.note_trouble(trouble)
            self.pause(self.after_trouble)
            return
        if not self.pause(min(seconds, self.rest)) and seconds > self.rest:
            self._repository.wait_for_change(seconds - self.rest, seen)

    def note_trouble(self, trouble: StoreTrouble) -> None:
        """Log that the store could not be used in this round."""
        _log.debug("%s does nothing while the store cannot be used: %s", type(self).__name__, trouble)

    def threads(self) -> Sequence[threading.Thread]:
        """Return the threads that it has started, and that must end before it has stopped."""
        return ()

    def stop(self, timeout: float | None = None) -> None:
        """End the thread after its current round, and then those that it has started."""
        ends = self._clock.monotonic() + (self.stops_within if timeout is None else timeout)
        super().stop(ends - self._clock.monotonic())
        for thread in self.threads():
            thread.join(max(ends - self._clock.monotonic(), 0.0))

    def wake(self) -> None:
        """Start the next round now."""
        super().wake()
        self._repository.wake_waiters()
