"""Recognizes legacy scripts that repeat an identical take until it is granted: refused takes are remembered."""

import threading
from collections import Counter, OrderedDict
from datetime import timedelta

from cimaster.common.clock import Clock
from cimaster.pool.decisions import fair_shares
from cimaster.pool.records.ticket import FORGOTTEN_AFTER

_MAX_REMEMBERED = 5000  # refusals that are remembered, of all callers together


class LegacyPolls:
    """The takes that were refused within the last 90 s. For any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: OrderedDict[str, tuple[float, str]] = OrderedDict()  # when, and to which owner; oldest first
        self._of_owner = Counter[str]()
        self._lock = threading.Lock()

    def interval(self, words: str, owner: str) -> timedelta | None:
        """Return how long ago an identical take was refused, None if not recently; remember this refusal.

        An owner whose refusals fill its share of the memory has none remembered until some are forgotten.
        """
        now = self._clock.monotonic()
        with self._lock:
            while self._refused and next(iter(self._refused.values()))[0] <= now - FORGOTTEN_AFTER.total_seconds():
                self._forget(next(iter(self._refused)))
            before = self._forget(words) if words in self._refused else None
            own = self._of_owner[owner]
            if own < fair_shares.share_limit(_MAX_REMEMBERED, len(self._refused) - own):
                self._refused[words] = now, owner
                self._of_owner[owner] += 1
        return timedelta(seconds=now - before) if before is not None else None

    def _forget(self, words: str) -> float:
        before, owner = self._refused.pop(words)
        self._of_owner[owner] -= 1
        if not self._of_owner[owner]:
            del self._of_owner[owner]
        return before
