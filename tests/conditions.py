"""Waits for effects of background threads: until a condition is met, never for a fixed time."""

import time
from collections.abc import Callable


def until(met: Callable[[], object], longest: float = 60.0) -> None:
    """Return when the condition is met; fail if it was not after `longest` seconds."""
    deadline = time.monotonic() + longest
    while not met():
        assert time.monotonic() < deadline, f"the condition was not met in {longest:.0f} s"
        time.sleep(0.02)
