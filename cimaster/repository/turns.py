"""Fairness between replicas that write one object: after its own write a replica leaves the others time to write.

Optimistic locking alone starves: the winner of a race holds the newest version and wins again, because every other
replica has to read first. So a replica that has written rests until each of the others has written too, or has had the
time to. The rest counts from its own last write, so that changes which come at random rarely meet it. Safety never
depends on it.
"""

import functools
from collections.abc import Mapping

from cimaster.common.clock import Clock
from cimaster.repository.snapshots import Snapshots
from cimaster.repository.write_attempts import last_commits

_ACTIVE = 8  # commits within which another replica that writes too is expected to write again
_SLACK = 1.3  # since some writes take longer: without it twice as many lose a race (measured)
_SHORTEST, _LONGEST = 0.005, 0.1  # seconds that one write of another replica is expected to take


class Turns:
    """Lets the committer rest after its own writes. For the committer's thread only."""

    def __init__(self, snapshots: Snapshots, clock: Clock, slot: str) -> None:
        self._snapshots, self._clock, self._slot = snapshots, clock, slot
        self._wrote_at = float("-inf")
        self._write_seconds = _SHORTEST
        self._given_way = False

    def wrote(self, seconds: float) -> None:
        """Take note that our own write was answered just now, and of the time from reading to that answer."""
        self._wrote_at = self._clock.monotonic()
        self._write_seconds = min(max(0.8 * self._write_seconds + 0.2 * seconds, _SHORTEST), _LONGEST)

    def wait(self) -> None:
        """Return when each of the others has written since our last write, or has had the time to."""
        while True:
            told, now = self._snapshots.told, self._clock.monotonic()
            turns = turns_of_others(self._slot, self._snapshots.annotations)
            left = self._wrote_at + turns * _SLACK * self._write_seconds - now
            if left <= 0:
                return
            self._clock.wait(functools.partial(self._snapshots.wait, since=told), left)

    def outrun(self) -> bool:
        """Say whether another replica wrote since we read, so that our write would lose; never twice in a row."""
        self._given_way = self._snapshots.behind and not self._given_way
        return self._given_way


def turns_of_others(slot: str, annotations: Mapping[str, str]) -> int:
    """Return how many writes of other replicas are to fit between two writes of the one with this slot.

    One for each replica that wrote lately, and none once all of them have written since. A replica that starves, or has
    just begun, does not show in the commits: one is expected after every eighth commit of ours in a row.
    """
    commits = last_commits(annotations)
    mine = commits.pop(slot, 0)
    active = [commit for commit in commits.values() if commit > mine - _ACTIVE]
    if not active:
        in_a_row = mine - max(commits.values(), default=mine)
        return int(in_a_row > 0 and in_a_row % _ACTIVE == 0)
    return len(active) if min(active) < mine else 0
