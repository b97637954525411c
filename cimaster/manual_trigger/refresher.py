"""The thread that keeps the configuration new and asks the API server now and then whether it still answers."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from cimaster.common.errors import Refusal
from cimaster.manual_trigger.prow.catalog import Catalog
from cimaster.manual_trigger.prow.prowjobs import ProwJobs

_IN_TROUBLE = 5.0  # seconds between two passes while something is wrong
_log = logging.getLogger(__name__)


class Refresher:
    """Looks at both every so many seconds, and sooner while one of them is in trouble."""

    def __init__(self, catalog: Catalog, prowjobs: ProwJobs, namespace: Callable[[], str], every: float) -> None:
        self._catalog = catalog
        self._prowjobs = prowjobs
        self._namespace = namespace
        self._every = every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refresher", daemon=True)

    def start(self) -> None:
        """Begin; the first look is at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, which may be waiting for an answer, and close the connections."""
        self._stopped.set()
        self._thread.join(5)
        self._prowjobs.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._look()
            except Exception:  # the thread must outlive a bug
                _log.exception("a look at the configuration and the API server failed")
            trouble = self._catalog.trouble or self._prowjobs.trouble
            self._stopped.wait(min(self._every, _IN_TROUBLE) if trouble else self._every)

    def _look(self) -> None:
        with suppress(Refusal):  # it is noted where it happened
            self._catalog.reload()
        with suppress(Refusal):
            self._prowjobs.ping(self._namespace())
