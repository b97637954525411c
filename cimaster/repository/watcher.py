"""The thread that follows changes of the store, so that reads can use the snapshot."""

import threading

from cimaster.common.background_thread import BackgroundThread
from cimaster.errors import StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.repository.snapshots import Snapshots
from cimaster.repository.stores.port import Store

_WATCH = 10.0  # seconds for which one watch stays open
_RETRY = 1.0  # seconds between two attempts to reach an unavailable store


class Watcher(BackgroundThread):
    """Reads the store once, then passes every change that the store reports to the snapshots."""

    pause_after_error = _RETRY

    def __init__(self, store: Store, snapshots: Snapshots, metrics: Metrics) -> None:
        super().__init__("watcher", metrics.thread_errors)
        self._store, self._snapshots = store, snapshots
        self._tried = threading.Event()

    @property
    def tried(self) -> bool:
        """Whether the store was read at least once, with or without success."""
        return self._tried.is_set()

    def work(self) -> None:
        """Wait for one change of the store."""
        try:
            self._follow()
        except StoreTrouble as trouble:
            if not self.stopping:
                self._snapshots.note_trouble(trouble)
                self.pause(_RETRY)
        except Exception:
            if not self.stopping:  # `wake` cuts the watch, whose connection may then raise anything
                raise
        finally:
            self._tried.set()

    def _follow(self) -> None:
        if self._snapshots.newest is None or self._snapshots.trouble:
            self._snapshots.read()
        self._tried.set()  # not only after that read: a request may have read the store first
        self._snapshots.note_change(self._store.wait_for_change(_WATCH))

    def wake(self) -> None:
        """End the watch permanently."""
        super().wake()
        self._store.stop_waiting()
