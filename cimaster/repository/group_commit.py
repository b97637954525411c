"""How long a write waits for more changes, so that one write carries them all."""

from collections.abc import Sequence

from cimaster.common.clock import Clock
from cimaster.repository.write_attempts import Pending

_LONGEST = 0.02  # seconds
_NEWEST = 0.25  # weight of the newest observation in what is expected


class GroupCommit:
    """Expects as many callers to come straight back as did lately: scripts in a loop, the next job of a queue.

    A caller that comes back just after a write began waits for that write and for the next one, and the store writes
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
        self._since = self._seconds = self._returning = 0.0
        self._answered = 0

    def written(self, batch: Sequence[Pending], waiting: Sequence[Pending], seconds: float) -> None:
        """Take note of a batch that was written, of the changes that wait, and of the seconds that it took."""
        done = [pending for pending in batch if pending.settled]
        if self._answered:
            came = sum(self._since < pending.arrived <= self.until for pending in (*done, *waiting))
            self._returning += _NEWEST * (min(came / self._answered, 1.0) - self._returning)
        self._seconds += (_NEWEST if self._seconds else 1.0) * (seconds - self._seconds)
        self._since, self._answered = self._clock.monotonic(), len(done)
        self.until = self._since + min(self._seconds, _LONGEST)
        self.expected = round(len(waiting) + self._answered * self._returning)
