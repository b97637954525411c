"""Writes that fail: how long to rest before the next try, and what lasts while reads succeed.

Such as a file that became read-only, a full disk, a right that was taken away.
"""

import random

from cimaster.common.clock import Clock
from cimaster.errors import StoreTrouble

_NEWS_FOR = 30.0  # seconds after which a failed write is no news any more: the next one is tried anyway


class WriteTrouble:
    """Tells a passing failure (tried again) from a lasting one (told to callers at once)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running = 0
        self._last: StoreTrouble | None = None
        self._at = 0.0

    @property
    def current(self) -> StoreTrouble | None:
        """Why the store took no write lately; None if it did, or if nobody tried for a while."""
        return self._last if self._clock.monotonic() - self._at < _NEWS_FOR else None

    def failed(self, trouble: StoreTrouble) -> bool:
        """Take note of a write that failed; say whether it lasts: the second running, with a good read in between."""
        self._running += 1
        if self._running == 1:
            return False
        self._last, self._at = trouble, self._clock.monotonic()
        return True

    def read_failed(self) -> None:
        """Take note that the store cannot be read either: then it is no matter of writes alone."""
        self._running = 0

    def succeeded(self) -> None:
        """Take note of a write that was applied."""
        self._running, self._last = 0, None


class Backoff:
    """Rests between tries: longer after each failure, never more than about a second, and not all at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0

    @property
    def pause(self) -> float:
        """Seconds to rest."""
        longest: float = min(1.0, 0.05 * 2 ** min(self._failures, 5))
        return longest * random.uniform(0.7, 1.3)  # noqa: S311

    def rest(self) -> None:
        """Take note of a failure and rest."""
        self._failures += 1
        self._clock.rest(self.pause)

    def succeeded(self) -> None:
        """Take note that all is well."""
        self._failures = 0
