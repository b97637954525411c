"""Waiting for what the background threads do: for a condition, never for a time."""

import time
from collections.abc import Callable

_LONGEST = 60.0  # seconds after which a condition counts as never met


def until(met: Callable[[], object]) -> None:
    """Return when the condition is met; fail if that takes a minute."""
    deadline = time.monotonic() + _LONGEST
    while not met():
        assert time.monotonic() < deadline, "the condition was not met in a minute"
        time.sleep(0.02)
