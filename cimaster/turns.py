"""Who writes next, where several replicas want to: whoever has not written for longest.

Without turns the winner of a race wins again, because it alone holds the newest version, and the others only read and
lose. Turns are a courtesy and never needed for safety: who waits in vain goes on after a moment.
"""

from collections.abc import Mapping

from cimaster.attempts import last_writes
from cimaster.clock import Clock
from cimaster.snapshots import Snapshots

_REMEMBERED = 8  # commits after which a replica that did not write counts as one that has nothing to write
_CONTENDED_FOR = 2.0  # seconds after the last sign of a race; then a replica tries again to write by itself
_PATIENCE = 1.25  # turns that each of those who go first may take
_SHORTEST, _LONGEST = 0.005, 0.1  # seconds to wait for each replica that goes first


class Turns:
    """Lets the committer wait for the replicas that go first. For the committer's thread only."""

    def __init__(self, snapshots: Snapshots, clock: Clock, slot: str) -> None:
        self._snapshots, self._clock, self._slot = snapshots, clock, slot
        self._contended_until = float("-inf")
        self._turn_seconds = _SHORTEST
        self._given_way = False

    def raced(self) -> None:
        """Take note that another replica wrote while we wanted to."""
        self._contended_until = self._clock.monotonic() + _CONTENDED_FOR

    def took(self, seconds: float) -> None:
        """Take note of how long reading, deciding and writing took."""
        self._turn_seconds = min(max(0.8 * self._turn_seconds + 0.2 * seconds, _SHORTEST), _LONGEST)

    def wait(self, waiting: int) -> None:
        """Return when it is our turn, or when those before us did not take theirs; at once if nothing is `waiting`."""
        ahead = self._ahead() if waiting else 0
        version = self._snapshots.version if ahead else ""
        until = self._clock.monotonic() + _PATIENCE * ahead * self._turn_seconds
        while ahead and (left := until - self._clock.monotonic()) > 0:
            self._clock.wait(self._snapshots.wait, left)
            if self._snapshots.version != version:
                version, ahead = self._snapshots.version, self._ahead()
                until = self._clock.monotonic() + _PATIENCE * ahead * self._turn_seconds
                self.raced()

    def passed(self, changes: int) -> None:
        """Take note of how many changes were passed on together, 0 if none could be: several show that load lasts."""
        if changes > 1:
            self.raced()

    def outrun(self) -> bool:
        """Say whether another replica wrote since we read, so that our write would lose; never twice running."""
        self._given_way = self._snapshots.behind and not self._given_way
        return self._given_way

    def writer(self) -> str:
        """Return the address of the replica that wrote last while several want to; nothing if that was we."""
        writes = last_writes(self._snapshots.annotations) if self._contended else {}
        last = max(writes, key=lambda slot: writes[slot].commit, default=self._slot)
        return "" if last == self._slot else writes[last].address

    @property
    def _contended(self) -> bool:
        return self._clock.monotonic() < self._contended_until

    def _ahead(self) -> int:
        return ahead_of(self._slot, self._snapshots.annotations) if self._contended else 0


def ahead_of(slot: str, annotations: Mapping[str, str]) -> int:
    """Return how many replicas that wrote lately have not written for longer than the one with this slot."""
    commits = {other: write.commit for other, write in last_writes(annotations).items()}
    mine = commits.pop(slot, 0)
    newest = max([mine, *commits.values()])
    return sum(newest - _REMEMBERED < commit < mine for commit in commits.values())
