"""Lists that were written out already: they are asked for far more often than the pool changes."""

import threading
from collections.abc import Callable, Hashable

from cimaster.repository.snapshots import Snapshot

_MOST = 16  # lists kept; one of 1,000 clusters takes half a megabyte


class RenderedLists:
    """Keeps what was written of the newest state; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = ""
        self._kept: dict[Hashable, bytes] = {}

    def of(self, snapshot: Snapshot, what: Hashable, write: Callable[[], str]) -> bytes:
        """Return what `write` makes of a state, written once for all who ask for `what`."""
        with self._lock:
            if self._version != snapshot.version or len(self._kept) >= _MOST:
                self._version, self._kept = snapshot.version, {}
            kept = self._kept
        if what not in kept:
            kept[what] = write().encode("utf-8", "replace")
        return kept[what]
