"""All the time that the service knows, in one place that tests can take over."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Called, it returns the present moment (UTC)."""

    def __call__(self) -> datetime:
        """Return the present moment, for what is written down."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for what is measured."""
        return time.monotonic()

    def rest(self, seconds: float) -> None:
        """Return after so many seconds."""
        time.sleep(seconds)

    def wait(self, waiting: Callable[[float], object], seconds: float) -> None:
        """Let `waiting` wait for at most so many seconds."""
        waiting(seconds)
