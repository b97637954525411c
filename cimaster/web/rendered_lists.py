"""A cache of rendered lists: they are read far more often than the pool changes."""

import threading
from collections.abc import Callable, Hashable

from cimaster.repository.snapshots import Snapshot

_CAPACITY = 16  # lists kept; one of 1,000 clusters takes half a megabyte


class RenderedLists:
    """Keeps the lists rendered from the newest state; safe for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = ""
        self._kept: dict[Hashable, bytes] = {}

    def of(self, snapshot: Snapshot, what: Hashable, write: Callable[[], str]) -> bytes:
        """Return the list `what` of a state, rendered by `write` once for all callers."""
        with self._lock:
            if self._version != snapshot.version or len(self._kept) >= _CAPACITY:
                self._version, self._kept = snapshot.version, {}
            kept = self._kept
        if what not in kept:
            kept[what] = write().encode("utf-8", "replace")
        return kept[what]
