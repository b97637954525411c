"""A write waits for callers that are expected to return immediately, and for no others."""

import threading
from collections.abc import Callable

import pytest

from cimaster.pool.records.pool import Answer
from cimaster.repository.group_commit import GroupCommit
from cimaster.repository.pending_changes import NEVER, PendingChange, PendingChanges
from tests.repository.interleavings import SteppedClock

WRITE = 0.008  # seconds


class CountingClock(SteppedClock):
    """Counts the waits."""

    waits = 0

    def wait(self, waiting: Callable[[float], object], seconds: float) -> None:
        self.waits += 1
        super().wait(waiting, seconds)


class Workload:
    """Callers that submit changes, and writes that answer them."""

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
def workload() -> Workload:
    return Workload()


def rounds(workload: Workload, callers: int, returning: int, after: float = 0.001) -> None:
    """Twenty times, answer `callers` together, of which `returning` return immediately."""
    for _ in range(20):
        workload.come(callers - len(workload.pending))
        workload.write(workload.pending.unsettled())
        workload.clock.rest(after)
        workload.come(returning)
        workload.clock.rest(2 * WRITE)


def test_a_write_waits_for_callers_that_return_immediately(workload: Workload) -> None:
    rounds(workload, callers=8, returning=8)
    workload.write(workload.pending.unsettled())
    assert workload.group_commit.expected == 8
    workload.come(3)
    assert workload.waits()


def test_a_write_starts_when_all_expected_callers_are_there(workload: Workload) -> None:
    rounds(workload, callers=8, returning=8)
    workload.write(workload.pending.unsettled())
    workload.come(8)
    assert not workload.waits()


def test_a_caller_already_waiting_counts_as_expected(workload: Workload) -> None:
    rounds(workload, callers=8, returning=8)
    workload.write(workload.pending.unsettled()[:5], meanwhile=2)
    assert workload.group_commit.expected == 5 + 3 + 2


def test_a_write_does_not_wait_for_callers_that_do_not_return(workload: Workload) -> None:
    rounds(workload, callers=8, returning=8)
    rounds(workload, callers=8, returning=0)
    workload.come(8)
    workload.write(workload.pending.unsettled())
    workload.come(1)
    assert not workload.waits()


def test_a_write_does_not_wait_for_callers_that_return_late(workload: Workload) -> None:
    rounds(workload, callers=8, returning=8, after=3 * WRITE)
    workload.write(workload.pending.unsettled())
    workload.come(1)
    assert not workload.waits()


def test_a_single_caller_never_waits(workload: Workload) -> None:
    rounds(workload, callers=1, returning=1)
    workload.write(workload.pending.unsettled())
    workload.come(1)
    assert not workload.waits()


def test_no_caller_waits_longer_than_a_write_takes(workload: Workload) -> None:
    rounds(workload, callers=8, returning=8)
    workload.write(workload.pending.unsettled())
    workload.come(1)
    workload.clock.rest(WRITE)
    assert not workload.waits()


@pytest.mark.parametrize("comes", [lambda workload: workload.come(5), lambda workload: workload.pending.wake()])
def test_the_wait_ends_when_enough_callers_came_or_it_is_ended(
    workload: Workload, comes: Callable[[Workload], object]
) -> None:
    woken: list[bool] = []

    class WakingClock(SteppedClock):
        def wait(self, waiting: Callable[[float], object], seconds: float) -> None:
            del seconds
            workload.come(1)
            woken.append(bool(waiting(0)))
            comes(workload)
            woken.append(bool(waiting(0)))

    rounds(workload, callers=8, returning=8)
    workload.write(workload.pending.unsettled())
    workload.come(2)
    workload.pending._clock = WakingClock()
    workload.pending._clock.passed = workload.clock.passed
    workload.gather()
    assert woken == [False, True]
