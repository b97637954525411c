"""The thread that regularly reads the configuration and checks that the API server still answers."""

from collections.abc import Callable
from contextlib import suppress

from prometheus_client import Counter

from cimaster.common.background_thread import BackgroundThread
from cimaster.common.errors import Refusal
from cimaster.manual_trigger.prow.catalog import Catalog
from cimaster.manual_trigger.prow.prowjobs import ProwJobs

_IN_TROUBLE = 5.0  # seconds between two rounds while something is wrong


class Refresher(BackgroundThread):
    """Checks both at an interval in seconds, and more often while one of them fails."""

    def __init__(
        self, catalog: Catalog, prowjobs: ProwJobs, namespace: Callable[[], str], every: float, errors: Counter
    ) -> None:
        super().__init__("refresher", errors)
        self._catalog = catalog
        self._prowjobs = prowjobs
        self._namespace = namespace
        self._every = every
        self.pause_after_error = min(every, _IN_TROUBLE)

    def work(self) -> None:
        """Check both, then wait."""
        with suppress(Refusal):  # the catalog keeps the reason as its `trouble`
            self._catalog.reload()
        with suppress(Refusal):
            self._prowjobs.ping(self._namespace())
        trouble = self._catalog.trouble or self._prowjobs.trouble
        self.pause(min(self._every, _IN_TROUBLE) if trouble else self._every)

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread, which may be waiting for an answer, and close the connections."""
        super().stop(timeout)
        self._prowjobs.close()
