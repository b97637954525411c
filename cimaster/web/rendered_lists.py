"""A cache of rendered lists: they are read far more often than the pool changes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from cimaster.pool import Caller
from cimaster.repository.snapshots import Snapshot

_CAPACITY = 16  # lists kept; one of 1,000 clusters takes half a megabyte
_ALL, _NONE = "all", "none"


class RenderedLists:
    """Keeps the lists rendered from the newest state; safe for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = self._version_of_owners = ""
        self._lists: OrderedDict[Hashable, bytes] = OrderedDict()  # the one that was read last is at the end
        self._owners = frozenset[str]()

    def of(self, snapshot: Snapshot, what: Hashable, write: Callable[[], str]) -> bytes:
        """Return the list `what` of a state, rendered by `write` once for all callers."""
        with self._lock:
            if self._version != snapshot.version:
                self._version, self._lists = snapshot.version, OrderedDict()
            lists = self._lists
            if what in lists:
                lists.move_to_end(what)
                return lists[what]
        rendered = write().encode("utf-8", "replace")
        with self._lock:
            lists[what] = rendered
            if len(lists) > _CAPACITY:
                lists.popitem(last=False)
        return rendered

    def visible_ids(self, snapshot: Snapshot, caller: Caller) -> str:
        """Return a text that is equal for callers that see the same ids in a state.

        Callers without a lease share one list; each owner of a lease needs its own.
        """
        if caller.sees_all:
            return _ALL
        with self._lock:
            if self._version_of_owners != snapshot.version:
                leases = (cluster.lease for cluster in snapshot.pool.clusters)
                self._owners = frozenset(lease.owner for lease in leases if lease)
                self._version_of_owners = snapshot.version
            return caller.owner if caller.owner in self._owners else _NONE
