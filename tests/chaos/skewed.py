"""The application of a replica whose clock is wrong by CHAOS_SKEW seconds."""

import os
from datetime import datetime, timedelta

from cimaster.app import served
from cimaster.clock import Clock
from cimaster.settings import Settings


class SkewedClock(Clock):
    """A wall clock that somebody set wrong; the monotonic one is right, as on a real machine."""

    skew = timedelta(seconds=float(os.environ["CHAOS_SKEW"]))

    def __call__(self) -> datetime:
        return super().__call__() + self.skew


app = served(Settings.from_environ(), SkewedClock())
