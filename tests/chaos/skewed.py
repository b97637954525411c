"""The application of a replica whose clock is wrong by CHAOS_SKEW seconds, and that keeps callers briefly."""

import os
from datetime import datetime, timedelta

from cimaster import waiting
from cimaster.app import served
from cimaster.clock import Clock
from cimaster.settings import Settings

waiting._KEPT = 0.3  # seconds: who asks again and again meets more of what breaks


class SkewedClock(Clock):
    """A wall clock that somebody set wrong; the monotonic one is right, as on a real machine."""

    skew = timedelta(seconds=float(os.environ["CHAOS_SKEW"]))

    def __call__(self) -> datetime:
        return super().__call__() + self.skew


app = served(Settings.from_environ(), SkewedClock())
