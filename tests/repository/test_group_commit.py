"""A write waits for the callers that are expected to return immediately, and for no others."""

import threading
from collections.abc import Callable

import pytest

from cimaster.pool.records.pool import Answer
from cimaster.repository.group_commit import GroupCommit
from cimaster.repository.pending_changes import NEVER, PendingChange, PendingChanges
from tests.repository.interleavings import StillClock

WRITE = 0.008  # seconds


class CountingClock(StillClock):
    """Counts the waits."""

    waits = 0

    def wait(self, waiting: Callable[[float], object], seconds: float) -> None:
        self.waits += 1
        super().wait(waiting, seconds)


class Hall:
    """Callers that submit changes, and writes that answer all of them."""

    def __init__(self) -> None:
        self.clock = CountingClock()
        self.pending = PendingChanges(threading.Lock(), self.clock, lambda _: None)
        self.group_commit = GroupCommit(self.clock)

    def come(self, callers: int) -> None:
        """Let this many callers submit a change now."""
        now = self.clock.monotonic()
        self.pending.add(*(PendingChange(lambda pool, _: (pool, Answer("")), now, NEVER) for _ in range(callers)))

    def write(self, batch: list[PendingChange], meanwhile: int = 0) -> None:
        """Answer a batch, at the end of a write during which other callers came."""
        self.clock.rest(WRITE)
        self.come(meanwhile)
        for change in batch:
            change.settle(Answer(""), 1)
        self.group_commit.note_write(batch, self.pending.unsettled(), WRITE)

    def waits(self) -> bool:
        """Say whether the next write waits for more changes."""
        before = self.clock.waits
        self.gather()
        return self.clock.waits > before

    def gather(self) -> None:
        """Wait for as many changes as the group commit expects."""
        self.pending.gather(self.group_commit.expected, self.group_commit.until)


@pytest.fixture
def hall() -> Hall:
    return Hall()


def rounds(hall: Hall, callers: int, returning: int, after: float = 0.001) -> None:
    """Of `callers` that are answered together `returning` return immediately, twenty times in a row."""
    for _ in range(20):
        hall.come(callers - len(hall.pending))
        hall.write(hall.pending.unsettled())
        hall.clock.rest(after)
        hall.come(returning)
        hall.clock.rest(2 * WRITE)


def test_a_write_waits_for_callers_that_return_immediately(hall: Hall) -> None:
    rounds(hall, callers=8, returning=8)
    hall.write(hall.pending.unsettled())
    assert hall.group_commit.expected == 8
    hall.come(3)
    assert hall.waits()


def test_a_write_starts_when_all_expected_callers_are_there(hall: Hall) -> None:
    rounds(hall, callers=8, returning=8)
    hall.write(hall.pending.unsettled())
    hall.come(8)
    assert not hall.waits()


def test_a_caller_already_waiting_counts_as_expected(hall: Hall) -> None:
    rounds(hall, callers=8, returning=8)
    hall.write(hall.pending.unsettled()[:5], meanwhile=2)
    assert hall.group_commit.expected == 5 + 3 + 2


def test_a_write_does_not_wait_for_callers_that_do_not_return(hall: Hall) -> None:
    rounds(hall, callers=8, returning=8)
    rounds(hall, callers=8, returning=0)
    hall.come(8)
    hall.write(hall.pending.unsettled())
    hall.come(1)
    assert not hall.waits()


def test_a_write_does_not_wait_for_callers_that_return_late(hall: Hall) -> None:
    rounds(hall, callers=8, returning=8, after=3 * WRITE)
    hall.write(hall.pending.unsettled())
    hall.come(1)
    assert not hall.waits()


def test_a_single_caller_never_waits(hall: Hall) -> None:
    rounds(hall, callers=1, returning=1)
    hall.write(hall.pending.unsettled())
    hall.come(1)
    assert not hall.waits()


def test_no_caller_waits_longer_than_a_write_takes(hall: Hall) -> None:
    rounds(hall, callers=8, returning=8)
    hall.write(hall.pending.unsettled())
    hall.come(1)
    hall.clock.rest(WRITE)
    assert not hall.waits()


@pytest.mark.parametrize("comes", [lambda hall: hall.come(5), lambda hall: hall.pending.wake()])
def test_the_wait_ends_when_enough_callers_came_or_it_is_ended(hall: Hall, comes: Callable[[Hall], object]) -> None:
    woken: list[bool] = []

    class WakingClock(StillClock):
        def wait(self, waiting: Callable[[float], object], seconds: float) -> None:
            del seconds
            hall.come(1)
            woken.append(bool(waiting(0)))
            comes(hall)
            woken.append(bool(waiting(0)))

    rounds(hall, callers=8, returning=8)
    hall.write(hall.pending.unsettled())
    hall.come(2)
    hall.pending._clock = WakingClock()
    hall.pending._clock.passed = hall.clock.passed
    hall.gather()
    assert woken == [False, True]
