"""The only source of time in the service, so that tests can replace it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Returns the current time (UTC) when called."""

    def __call__(self) -> datetime:
        """Return the current time, for times that are stored."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back, for measuring durations."""
        return time.monotonic()

    def rest(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)

    def wait(self, waiting: Callable[[float], object], seconds: float) -> None:
        """Call `waiting` with a time-out in seconds, for example a method of an event."""
        waiting(seconds)
