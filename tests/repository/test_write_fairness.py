"""After its own write, a replica pauses until the others have written, but no longer than they need for that."""

from collections.abc import Callable
from typing import cast

import pytest

from cimaster.repository.snapshots import Snapshots
from cimaster.repository.write_attempts import SLOT_PREFIX
from cimaster.repository.write_fairness import WriteFairness, writes_of_others
from tests.repository.interleavings import SteppedClock

WRITE = 0.01  # seconds


def slots(**commits: int) -> dict[str, str]:
    """Return the annotations of replicas whose last commits had these numbers."""
    return {SLOT_PREFIX + name: f"id 2026-01-02T03:04:05Z {commit}" for name, commit in commits.items()}


@pytest.mark.parametrize(
    ("name", "turns"),
    [("a", 0), ("b", 2), ("c", 2)],
)
def test_a_replica_waits_until_every_other_has_written(name: str, turns: int) -> None:
    assert writes_of_others(SLOT_PREFIX + name, {**slots(a=10, b=11, c=12), "owner": "alice"}) == turns


def test_a_replica_that_never_wrote_waits_for_no_other() -> None:
    assert writes_of_others(SLOT_PREFIX + "new", slots(a=10, b=11)) == 0


def test_no_replica_waits_for_an_inactive_one() -> None:
    assert writes_of_others(SLOT_PREFIX + "c", slots(a=10, b=95, c=100)) == 1


def test_a_single_replica_never_waits() -> None:
    assert [writes_of_others(SLOT_PREFIX + "a", slots(a=commit)) for commit in range(1, 20)] == [0] * 19


def test_a_replica_missing_from_recent_commits_gets_a_turn() -> None:
    writes = [writes_of_others(SLOT_PREFIX + "a", slots(a=commit, idle=100)) for commit in range(108, 125)]
    assert writes == [1, *[0] * 7, 1, *[0] * 7, 1]


@pytest.mark.parametrize("spoilt", ["garbage", "id 2026 x", "id 2026 " + "9" * 5000, ""])
def test_an_unreadable_slot_is_ignored(spoilt: str) -> None:
    assert writes_of_others(SLOT_PREFIX + "a", {**slots(a=10), SLOT_PREFIX + "b": spoilt}) == 0
    assert writes_of_others(SLOT_PREFIX + "a", {**slots(b=10), SLOT_PREFIX + "a": spoilt}) == 0


class Reported:
    """The last report of a replica's watch, in place of its snapshots."""

    def __init__(self, **commits: int) -> None:
        self.change_count, self.annotations, self.behind = 0, slots(**commits), False

    def wait_for_change(self, seconds: float, since: int) -> None:
        """Return immediately: only `change` changes something."""

    def change(self, **commits: int) -> None:
        """Report a write of another replica."""
        self.change_count, self.annotations, self.behind = self.change_count + 1, slots(**commits), True


class EventfulClock(SteppedClock):
    """A clock with events during its waits."""

    def __init__(self) -> None:
        super().__init__()
        self.happens: list[Callable[[], None]] = []
        self.waits: list[float] = []

    def wait(self, waiting: Callable[[float], object], seconds: float) -> None:
        self.waits.append(seconds)
        if self.happens:
            self.happens.pop(0)()
        else:
            super().wait(waiting, seconds)


def fairness_of(name: str, reported: Reported, clock: EventfulClock) -> WriteFairness:
    return WriteFairness(cast("Snapshots", reported), clock, SLOT_PREFIX + name)


def test_a_replica_does_not_wait_before_its_first_write() -> None:
    clock = EventfulClock()
    fairness_of("b", Reported(a=1, c=2), clock).wait_for_others()
    assert clock.waits == []


def test_after_its_write_a_replica_waits_for_the_others() -> None:
    clock, reported = EventfulClock(), Reported(a=1, c=2, b=3)
    fairness = fairness_of("b", reported, clock)
    fairness.note_write(WRITE)
    clock.happens = [lambda: reported.change(c=2, b=3, a=4), lambda: reported.change(b=3, a=4, c=5)]
    fairness.wait_for_others()
    assert len(clock.waits) == 2
    assert clock.waits[0] > clock.waits[1] > 0
    assert clock.waits[0] < 2 * WRITE


def test_a_replica_that_does_not_write_is_waited_for_once() -> None:
    clock = EventfulClock()
    fairness = fairness_of("b", Reported(a=1, b=2), clock)
    fairness.note_write(WRITE)
    fairness.wait_for_others()
    fairness.wait_for_others()
    assert len(clock.waits) == 1


def test_a_change_that_arrives_after_the_pause_does_not_wait() -> None:
    clock = EventfulClock()
    fairness = fairness_of("b", Reported(a=1, b=2), clock)
    fairness.note_write(WRITE)
    clock.rest(WRITE)
    fairness.wait_for_others()
    assert clock.waits == []


def test_a_write_that_would_lose_is_not_sent_but_never_twice_in_a_row() -> None:
    clock, reported = EventfulClock(), Reported(a=1, b=2)
    fairness = fairness_of("b", reported, clock)
    assert not fairness.gives_way()
    reported.change(b=2, a=3)
    assert [fairness.gives_way(), fairness.gives_way()] == [True, False]
