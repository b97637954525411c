"""The one back-off of both programs: how long to pause after each failure in a row."""

import random

_FIRST, _LONGEST = 0.05, 1.0  # seconds
_SPREAD = 0.3  # part of a pause by which it may be longer or shorter, so that replicas do not retry together


class Backoff:
    """Pauses that double with each failure in a row, up to about a second."""

    def __init__(self) -> None:
        self.failures = 0
        """The number of failures in a row."""

    @property
    def pause(self) -> float:
        """Seconds to pause, drawn anew each time."""
        mean: float = min(_LONGEST, _FIRST * 2 ** min(self.failures, 5))
        return mean * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311

    def note_failure(self) -> None:
        """Make the next pause longer."""
        self.failures += 1

    def note_success(self) -> None:
        """Start again with the shortest pause."""
        self.failures = 0
