"""Fairness between replicas that write the same object: after its own write, a replica gives the others time to write.

Optimistic locking alone starves replicas: the winner of a race holds the newest version and wins again, because every
other replica has to read first. So a replica that has written pauses until each of the others has written too, or has
had time to. The pause counts from its own last write, so that changes which arrive at random are rarely delayed.
Correctness does not depend on it.
"""

import functools
from collections.abc import Mapping

from cimaster.common.clock import Clock
from cimaster.repository.snapshots import Snapshots
from cimaster.repository.write_attempts import last_commits

_ACTIVE = 8  # commits within which an active replica is expected to write again
_SLACK = 1.3  # because some writes take longer: without it, twice as many lose a race (measured)
_SHORTEST, _LONGEST = 0.005, 0.1  # seconds that one write of another replica is expected to take
_NEWEST = 0.2  # weight of the newest write in the expected duration


class WriteFairness:
    """Delays the committer after its own writes. Only for the committer's thread."""

    def __init__(self, snapshots: Snapshots, clock: Clock, slot: str) -> None:
        self._snapshots, self._clock, self._slot = snapshots, clock, slot
        self._wrote_at = float("-inf")
        self._write_seconds = _SHORTEST
        self._gave_way = False

    def note_write(self, seconds: float) -> None:
        """Record that our own write was answered just now, `seconds` after its read."""
        self._wrote_at = self._clock.monotonic()
        average = (1 - _NEWEST) * self._write_seconds + _NEWEST * seconds
        self._write_seconds = min(max(average, _SHORTEST), _LONGEST)

    def wait_for_others(self) -> None:
        """Return when each of the others has written since our last write, or has had time to."""
        while True:
            seen, now = self._snapshots.change_count, self._clock.monotonic()
            writes = writes_of_others(self._slot, self._snapshots.annotations)
            remaining = self._wrote_at + writes * _SLACK * self._write_seconds - now
            if remaining <= 0:
                return
            self._clock.wait(functools.partial(self._snapshots.wait_for_change, since=seen), remaining)

    def gives_way(self) -> bool:
        """Say whether another replica wrote since we read, so that our write would lose; never twice in a row."""
        self._gave_way = self._snapshots.behind and not self._gave_way
        return self._gave_way


def writes_of_others(slot: str, annotations: Mapping[str, str]) -> int:
    """Return how many writes of other replicas should fit between two writes of the replica with this slot.

    That is one for each replica that wrote recently, and none once all of them have written since our last write. A
    replica that starves, or has just started, is not visible in the commits: one write is allowed for after every
    eighth commit of ours in a row.
    """
    commits = last_commits(annotations)
    ours = commits.pop(slot, 0)
    active = [commit for commit in commits.values() if commit > ours - _ACTIVE]
    if not active:
        in_a_row = ours - max(commits.values(), default=ours)
        return int(in_a_row > 0 and in_a_row % _ACTIVE == 0)
    return len(active) if min(active) < ours else 0
