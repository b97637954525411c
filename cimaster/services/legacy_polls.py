"""Recognize legacy scripts that repeat an identical take until it is granted, by remembering refused takes."""

import threading
from collections import Counter, OrderedDict
from datetime import timedelta

from cimaster.common.clock import Clock
from cimaster.pool.decisions import fair_shares
from cimaster.pool.records.ticket import FORGOTTEN_AFTER

_MAX_REMEMBERED = 5000  # refusals, of all callers together


class LegacyPolls:
    """The takes that were refused within the last 90 s. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: OrderedDict[str, tuple[float, str]] = OrderedDict()  # time and owner by take; oldest first
        self._of_owner = Counter[str]()
        self._lock = threading.Lock()

    def interval(self, take_id: str, owner: str) -> timedelta | None:
        """Return how long ago an identical take was refused, None if not recently; remember this refusal.

        If an owner's refusals fill its share, no more are remembered until some are forgotten.
        """
        now = self._clock.monotonic()
        with self._lock:
            while self._refused and next(iter(self._refused.values()))[0] <= now - FORGOTTEN_AFTER.total_seconds():
                self._forget(next(iter(self._refused)))
            before = self._forget(take_id) if take_id in self._refused else None
            own = self._of_owner[owner]
            if own < fair_shares.share_limit(_MAX_REMEMBERED, len(self._refused) - own):
                self._refused[take_id] = now, owner
                self._of_owner[owner] += 1
        return timedelta(seconds=now - before) if before is not None else None

    def _forget(self, take_id: str) -> float:
        before, owner = self._refused.pop(take_id)
        self._of_owner[owner] -= 1
        if not self._of_owner[owner]:
            del self._of_owner[owner]
        return before
