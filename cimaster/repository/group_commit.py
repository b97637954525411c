"""How long a write waits for more changes, so that one write carries them all."""

from collections.abc import Sequence

from cimaster.common.clock import Clock
from cimaster.repository.pending_changes import PendingChange

_LONGEST = 0.02  # seconds
_NEWEST = 0.25  # weight of the newest observation in what is expected


class GroupCommit:
    """Expects as many callers to return immediately as did recently: scripts in a loop, the next job of a queue.

    A caller that returns just after a write began waits for that write and for the next one, and the store writes
    twice. So a write begins when as many changes are there as are expected, or after as long as a write takes. That
    gives callers in a loop a sixth (32 of them) to two fifths (8) more pairs; callers that come at random, or alone,
    wait no longer than without it (measured). PostgreSQL's commit_delay and commit_siblings do this with fixed figures.
    """

    def __init__(self, clock: Clock) -> None:
        self.expected = 1
        """How many changes are worth waiting for."""
        self.until = float("-inf")
        """When to stop waiting (monotonic seconds)."""
        self._clock = clock
        self._last_write = self._seconds = self._returning = 0.0
        self._answered = 0

    def note_write(self, batch: Sequence[PendingChange], pending: Sequence[PendingChange], seconds: float) -> None:
        """Record a batch that was written, the changes that are pending now, and the seconds that the write took."""
        done = [change for change in batch if change.settled]
        if self._answered:
            returned = sum(self._last_write < change.arrived <= self.until for change in (*done, *pending))
            self._returning += _NEWEST * (min(returned / self._answered, 1.0) - self._returning)
        self._seconds += (_NEWEST if self._seconds else 1.0) * (seconds - self._seconds)
        self._last_write, self._answered = self._clock.monotonic(), len(done)
        self.until = self._last_write + min(self._seconds, _LONGEST)
        self.expected = round(len(pending) + self._answered * self._returning)
