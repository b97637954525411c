"""Changes that callers have submitted and that have no result yet."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cimaster.common.clock import Clock
from cimaster.errors import Problem
from cimaster.pool.records.pool import Answer, Pool

NEVER = float("inf")  # the deadline of a change that must be made, although no caller waits for it

Decision = Callable[[Pool, datetime], tuple[Pool, Answer]]


@dataclass
class PendingChange:
    """One caller's change on its way to the store; times are monotonic seconds."""

    decide: Decision
    arrived: float
    deadline: float
    fresh: bool = False
    """Whether it must be decided on a state that is not older than the request."""
    undo: Decision | None = None
    caller: Mapping[str, str] = field(default_factory=dict)
    """What its changes of clusters say about the caller that was authenticated; empty if none was."""
    sent: bool = False
    """Whether a write with it is in flight, so that it may be applied."""
    refused: tuple[Pool, Problem] | None = None
    """Why it was refused, and on which state: the refusal counts once a read has confirmed the state."""
    commit: int = 0
    answer: Answer | None = None
    error: BaseException | None = None
    done: threading.Lock = field(default_factory=threading.Lock)
    """Held until the change is settled: its caller waits to acquire it."""

    def __post_init__(self) -> None:
        self.done.acquire()

    @property
    def settled(self) -> bool:
        """Whether its caller has a result."""
        return self.answer is not None or self.error is not None

    def settle(self, result: Answer | BaseException, commit: int) -> bool:
        """Give the caller its result; return False if it already had one. The committer's lock must be held."""
        if self.settled:
            return False
        self.commit = commit
        if isinstance(result, BaseException):
            self.error = result
        else:
            self.answer = result
        self.done.release()
        return True


class PendingChanges:
    """The changes without a result. `lock` guards settling; `time_out` settles a change whose deadline has passed."""

    def __init__(self, lock: threading.Lock, clock: Clock, time_out: Callable[[PendingChange], None]) -> None:
        self.lock, self._clock, self._time_out = lock, clock, time_out
        self._changes: list[PendingChange] = []
        self._enough = 1
        self._woken = threading.Event()

    def __len__(self) -> int:
        return sum(not change.settled for change in self._changes)

    def add(self, *changes: PendingChange) -> None:
        """Add changes, and wake the committer if it now has as many as it waits for."""
        with self.lock:
            self._changes.extend(changes)
            enough = len(self._changes) >= self._enough
        if enough:
            self._woken.set()

    def wake(self) -> None:
        """End `wait` or `gather` now."""
        self._woken.set()

    def wait(self, seconds: float | None) -> None:
        """Wait for a change, for at most `seconds`."""
        self._woken.wait(seconds)
        self._woken.clear()

    def gather(self, expected: int, until: float) -> None:
        """Wait for the expected number of changes, at most until a monotonic time."""
        if expected < 2 or self._clock.monotonic() >= until:
            return
        with self.lock:
            self._drop_settled()
            too_few = len(self._changes) < expected
            self._enough = expected if too_few else 1
            self._woken.clear()
        remaining = until - self._clock.monotonic()
        if too_few and remaining > 0:
            self._clock.wait(self._woken.wait, remaining)
        self._enough = 1

    def unsettled(self) -> list[PendingChange]:
        """Return the changes without a result, after timing out those whose deadline has passed."""
        now = self._clock.monotonic()
        with self.lock:
            for change in self._changes:
                if now > change.deadline:
                    self._time_out(change)
            self._drop_settled()
            return list(self._changes)

    def refuse(self, changes: Iterable[PendingChange], problem: Problem) -> None:
        """Settle changes with an error, except those that may have been applied and those that must be made."""
        with self.lock:
            for change in changes:
                if not change.sent and change.deadline != NEVER:
                    change.settle(problem.again(), 0)

    def _drop_settled(self) -> None:
        self._changes = [change for change in self._changes if not change.settled]
