"""Limits how many jobs one user may start per period."""

import math
import threading

from cimaster.common.clock import Clock
from cimaster.manual_trigger.errors import TooMany
from cimaster.manual_trigger.settings import Rate

_REMEMBERED = 1000  # users; callers may invent any number of them


class RateLimit:
    """A token bucket for each user."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._seconds_per_job = rate.per.total_seconds() / rate.count
        self._full_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, user: str) -> None:
        """Take a token from the user's bucket; if it is empty, raise TooMany, which says when there will be one."""
        with self._lock:
            now = self._clock.monotonic()
            full_at = max(now, self._full_at.get(user, now)) + self._seconds_per_job
            per = self._rate.per.total_seconds()
            wait = full_at - now - per
            if wait > 1e-6:
                seconds = math.ceil(wait)
                raise TooMany(
                    f"user {user} has reached the limit of {self._rate.count} jobs in {per:.0f} s: "
                    f"repeat the request in {seconds} s",
                    retry_after=seconds,
                )
            self._full_at[user] = full_at
            if len(self._full_at) > _REMEMBERED:
                self._full_at = {name: full for name, full in self._full_at.items() if full > now}
