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
        self._lists: dict[Hashable, bytes] = {}

    def of(self, snapshot: Snapshot, what: Hashable, write: Callable[[], str]) -> bytes:
        """Return the list `what` of a state, rendered by `write` once for all callers."""
        with self._lock:
            if self._version != snapshot.version or len(self._lists) >= _CAPACITY:
                self._version, self._lists = snapshot.version, {}
            lists = self._lists
        if what not in lists:
            lists[what] = write().encode("utf-8", "replace")
        return lists[what]
