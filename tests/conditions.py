"""Waiting for what the background threads do: for a condition, never for a time."""

import time
from collections.abc import Callable


def until(met: Callable[[], object], longest: float = 60.0) -> None:
    """Return when the condition is met; fail if it was not after `longest` seconds."""
    deadline = time.monotonic() + longest
    while not met():
        assert time.monotonic() < deadline, f"the condition was not met in {longest:.0f} s"
        time.sleep(0.02)
