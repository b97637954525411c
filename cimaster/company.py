"""Whether it pays to let changes gather before they are written, or passed on, together."""

from collections.abc import Sequence

from cimaster.attempts import Pending
from cimaster.clock import Clock

_LONGEST = 0.02  # seconds
_NEWEST = 0.25  # weight of the newest observation in what is expected


class Company:
    """Expects as many callers to come straight back as did lately: scripts in a loop, the next job of a queue.

    Who comes back just after a write began waits for all of it and for the next one, and the store writes twice. So a
    write is begun when those are there who can be expected, or after as long as a write takes. Where callers come at
    random that costs those who wait about what it saves the others, and fewer writes are needed; whoever comes alone
    never waits. (PostgreSQL's commit_delay and commit_siblings are this with fixed figures.) It is a guess: what two
    threads tell it at once may count for one.
    """

    def __init__(self, clock: Clock) -> None:
        self.wanted = 1
        """How many changes are worth waiting for."""
        self.until = float("-inf")
        """When to wait no longer (monotonic seconds)."""
        self._clock = clock
        self._since = self._seconds = self._returning = 0.0
        self._answered = 0

    def answered(self, batch: Sequence[Pending], waiting: Sequence[Pending], seconds: float) -> None:
        """Take note of changes of which most have their answer now, of those that wait, and of how long it took."""
        done = [pending for pending in batch if pending.settled]
        if self._answered:
            came = sum(self._since < pending.arrived <= self.until for pending in (*done, *waiting))
            self._returning += _NEWEST * (min(came / self._answered, 1.0) - self._returning)
        self._seconds += (_NEWEST if self._seconds else 1.0) * (seconds - self._seconds)
        self._since, self._answered = self._clock.monotonic(), len(done)
        self.until = self._since + min(self._seconds, _LONGEST)
        self.wanted = round(len(waiting) + self._answered * self._returning)
