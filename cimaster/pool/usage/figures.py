"""The figures of usage: seconds in each state, takes and their waits, failures and quarantines."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from cimaster.pool.records.cluster import CHECKING, DISABLED, HELD, OCCUPIED, VACANT
from cimaster.pool.records.health import QUARANTINED

STATES = (OCCUPIED, HELD, DISABLED, QUARANTINED, CHECKING, VACANT)
_IN_USE = (OCCUPIED, HELD)
_EXACT_WAIT = 100  # seconds, below which waits are stored exactly
_SHORT_WAIT = 60  # seconds


def stored_wait(seconds: int) -> int:
    """Return a wait as it is stored: exact below 100 s, else rounded to two significant digits."""
    if seconds < _EXACT_WAIT:
        return max(seconds, 0)
    unit = int(10 ** (len(str(seconds)) - 2))
    return (seconds + unit // 2) // unit * unit


@dataclass
class Figures:
    """Sums over some clusters and some time.

    `waits` counts the takes that waited, by seconds; a take that is not in it got its cluster immediately.
    """

    seconds: dict[str, int] = field(default_factory=dict)
    takes: int = 0
    failures: int = 0
    quarantines: int = 0
    waits: dict[int, int] = field(default_factory=dict)

    def add(self, other: "Figures") -> None:
        """Add other figures to these."""
        for state, seconds in other.seconds.items():
            self.seconds[state] = self.seconds.get(state, 0) + seconds
        self.takes += other.takes
        self.failures += other.failures
        self.quarantines += other.quarantines
        for wait, count in other.waits.items():
            self.waits[wait] = self.waits.get(wait, 0) + count

    def add_take(self, waited: int) -> None:
        """Count a take, and the seconds that its caller waited."""
        self.takes += 1
        if waited > 0:
            wait = stored_wait(waited)
            self.waits[wait] = self.waits.get(wait, 0) + 1

    @property
    def total(self) -> int:
        """The seconds in all states."""
        return sum(self.seconds.values())

    @property
    def in_use(self) -> int:
        """The seconds in which a job or a person had a cluster."""
        return sum(self.seconds.get(state, 0) for state in _IN_USE)

    @property
    def utilisation(self) -> float | None:
        """The share of the time in which the clusters were in use, from 0 to 1; None without any time."""
        return self.in_use / self.total if self.total else None

    @property
    def within_a_minute(self) -> float | None:
        """The share of takes that waited at most a minute, from 0 to 1; None without takes."""
        if not self.takes:
            return None
        longer = sum(count for wait, count in self.waits.items() if wait > _SHORT_WAIT)
        return max(self.takes - longer, 0) / self.takes

    def wait(self, share: float) -> int | None:
        """Return the seconds within which this share of the takes had a cluster; None without takes."""
        if not self.takes:
            return None
        needed = share * self.takes - max(self.takes - sum(self.waits.values()), 0)
        for wait in sorted(self.waits):
            if needed <= 0:
                break
            needed -= self.waits[wait]
            if needed <= 0:
                return wait
        return 0


def split(begin: int, end: int, length: int) -> Iterator[tuple[int, int]]:
    """Yield the periods of this length that an interval touches, by number, and the seconds of it in each."""
    while begin < end:
        period = begin // length
        until = min((period + 1) * length, end)
        yield period, until - begin
        begin = until
