"""How long a write waits for more changes to include."""

from collections.abc import Sequence

from cimaster.common.clock import Clock
from cimaster.repository.pending_changes import PendingChange

_LONGEST = 0.02  # seconds
_NEWEST = 0.25  # weight of the newest observation in the moving averages


class GroupCommit:
    """Predicts how many callers return immediately, from how many did recently: scripts in a loop, the next job.

    A caller that returns just after a write has started waits for that write and the next one, and the store writes
    twice. So a write starts when the expected number of changes has arrived, or after the time that a write takes.
    Callers in a loop then complete a sixth (32 callers) to two fifths (8 callers) more pairs of take and finish; random
    or single callers wait no longer than without it (measured). PostgreSQL's commit_delay and commit_siblings do the
    same with fixed figures.
    """

    def __init__(self, clock: Clock) -> None:
        self.expected = 1
        """How many changes to wait for."""
        self.until = float("-inf")
        """When to stop waiting (monotonic seconds)."""
        self._clock = clock
        self._last_write = self._seconds = self._returning = 0.0
        self._answered = 0

    def note_write(self, batch: Sequence[PendingChange], pending: Sequence[PendingChange], seconds: float) -> None:
        """Record a written batch, the changes that are pending now, and the seconds that the write took."""
        done = [change for change in batch if change.settled]
        if self._answered:
            returned = sum(self._last_write < change.arrived <= self.until for change in (*done, *pending))
            self._returning += _NEWEST * (min(returned / self._answered, 1.0) - self._returning)
        self._seconds += (_NEWEST if self._seconds else 1.0) * (seconds - self._seconds)
        self._last_write, self._answered = self._clock.monotonic(), len(done)
        self.until = self._last_write + min(self._seconds, _LONGEST)
        self.expected = round(len(pending) + self._answered * self._returning)
