"""The changes that wait for the committer."""

import threading
from collections.abc import Callable, Iterable

from cimaster.common.clock import Clock
from cimaster.errors import Problem
from cimaster.repository.group_commit import GroupCommit
from cimaster.repository.write_attempts import NEVER, Pending


class Inbox:
    """Changes that have no answer yet. `lock` guards what becomes of them; `expire` settles one whose time is over."""

    def __init__(self, lock: threading.Lock, clock: Clock, expire: Callable[[Pending], None]) -> None:
        self.lock, self._clock, self._expire = lock, clock, expire
        self._pendings: list[Pending] = []
        self._enough = 1
        self._wake = threading.Event()

    def __len__(self) -> int:
        return sum(not pending.settled for pending in self._pendings)

    def add(self, *pendings: Pending) -> None:
        """Add changes, and wake the committer if it waits for no more than these; without any, wake it."""
        with self.lock:
            self._pendings.extend(pendings)
            enough = len(self._pendings) >= self._enough or not pendings
        if enough:
            self._wake.set()

    def wait(self, seconds: float | None) -> None:
        """Wait until there is something to do, or for so many seconds."""
        self._wake.wait(seconds)
        self._wake.clear()

    def gather(self, group_commit: GroupCommit) -> None:
        """Let changes come together for as long as that pays."""
        if group_commit.expected < 2 or self._clock.monotonic() >= group_commit.until:
            return
        with self.lock:
            self.clean()
            few = len(self._pendings) < group_commit.expected
            self._enough = group_commit.expected if few else 1
            self._wake.clear()
        left = group_commit.until - self._clock.monotonic()
        if few and left > 0:
            self._clock.wait(self._wake.wait, left)
        self._enough = 1

    def waiting(self) -> list[Pending]:
        """Return what waits for an answer."""
        now = self._clock.monotonic()
        with self.lock:
            for pending in self._pendings:
                if now > pending.deadline:
                    self._expire(pending)
            self.clean()
            return list(self._pendings)

    def refuse(self, pendings: Iterable[Pending], refusal: Problem) -> None:
        """Settle those that are not on their way; what must be done waits on."""
        with self.lock:
            for pending in pendings:
                if not pending.sent and pending.deadline != NEVER:
                    pending.settle(refusal.again(), 0)

    def clean(self) -> None:
        """Drop what was answered. The lock must be held."""
        self._pendings = [pending for pending in self._pendings if not pending.settled]
