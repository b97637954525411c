"""How many jobs one user may start in a time."""

import math
import threading

from cimaster.common.clock import Clock
from cimaster.manual_trigger.errors import TooMany
from cimaster.manual_trigger.settings import Rate

_REMEMBERED = 1000  # users; a caller may name as many as it likes


class Rates:
    """A bucket of permissions for each user, filled up evenly."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._each = rate.per.total_seconds() / rate.count
        self._full_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, user: str) -> None:
        """Take one permission; TooMany says when there is another."""
        with self._lock:
            now = self._clock.monotonic()
            full_at = max(now, self._full_at.get(user, now)) + self._each
            wait = full_at - now - self._rate.per.total_seconds()
            if wait > 1e-6:
                seconds = math.ceil(wait)
                raise TooMany(
                    f"user {user} may start {self._rate.count} jobs in {self._rate.per.total_seconds():.0f} s: "
                    f"ask again in {seconds} s",
                    retry_after=seconds,
                )
            self._full_at[user] = full_at
            if len(self._full_at) > _REMEMBERED:
                self._full_at = {name: full for name, full in self._full_at.items() if full > now}
