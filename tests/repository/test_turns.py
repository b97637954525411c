"""After its own write a replica rests until the others have written, and no longer than they may need for it."""

from collections.abc import Callable
from typing import cast

import pytest

from cimaster.repository.snapshots import Snapshots
from cimaster.repository.turns import Turns, turns_of_others
from cimaster.repository.write_attempts import SLOT_PREFIX
from tests.repository.interleavings import StillClock

WRITE = 0.01  # seconds


def slots(**commits: int) -> dict[str, str]:
    """Return the annotations of replicas by the number of their last commit."""
    return {SLOT_PREFIX + name: f"id 2026-01-02T03:04:05Z {commit}" for name, commit in commits.items()}


@pytest.mark.parametrize(
    ("name", "turns"),
    [("a", 0), ("b", 2), ("c", 2)],
)
def test_a_replica_leaves_room_until_each_other_has_written(name: str, turns: int) -> None:
    assert turns_of_others(SLOT_PREFIX + name, {**slots(a=10, b=11, c=12), "owner": "alice"}) == turns


def test_a_replica_that_never_wrote_rests_for_no_other() -> None:
    assert turns_of_others(SLOT_PREFIX + "new", slots(a=10, b=11)) == 0


def test_no_room_is_left_for_a_replica_that_has_not_written_for_long() -> None:
    assert turns_of_others(SLOT_PREFIX + "c", slots(a=10, b=95, c=100)) == 1


def test_a_replica_alone_rests_for_none() -> None:
    assert [turns_of_others(SLOT_PREFIX + "a", slots(a=commit)) for commit in range(1, 20)] == [0] * 19


def test_room_is_left_for_a_replica_missing_from_recent_commits() -> None:
    turns = [turns_of_others(SLOT_PREFIX + "a", slots(a=commit, idle=100)) for commit in range(108, 125)]
    assert turns == [1, *[0] * 7, 1, *[0] * 7, 1]


@pytest.mark.parametrize("spoilt", ["garbage", "id 2026 x", "id 2026 " + "9" * 5000, ""])
def test_a_spoilt_slot_counts_as_none(spoilt: str) -> None:
    assert turns_of_others(SLOT_PREFIX + "a", {**slots(a=10), SLOT_PREFIX + "b": spoilt}) == 0
    assert turns_of_others(SLOT_PREFIX + "a", {**slots(b=10), SLOT_PREFIX + "a": spoilt}) == 0


class News:
    """What the watch told last."""

    def __init__(self, **commits: int) -> None:
        self.told, self.annotations, self.behind = 0, slots(**commits), False

    def wait(self, seconds: float, since: int) -> None:
        """Nothing new comes by itself."""

    def tell(self, **commits: int) -> None:
        """Another replica wrote."""
        self.told, self.annotations, self.behind = self.told + 1, slots(**commits), True


class ClockWithNews(StillClock):
    """Time in which something may happen during a wait."""

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


def turns_of(name: str, news: News, clock: ClockWithNews) -> Turns:
    return Turns(cast("Snapshots", news), clock, SLOT_PREFIX + name)


def test_before_its_first_write_a_replica_does_not_rest() -> None:
    clock = ClockWithNews()
    turns_of("b", News(a=1, c=2), clock).wait()
    assert clock.waits == []


def test_after_its_write_a_replica_lets_the_others_write_first() -> None:
    clock, news = ClockWithNews(), News(a=1, c=2, b=3)
    turns = turns_of("b", news, clock)
    turns.wrote(WRITE)
    clock.happens = [lambda: news.tell(c=2, b=3, a=4), lambda: news.tell(b=3, a=4, c=5)]
    turns.wait()
    assert len(clock.waits) == 2
    assert clock.waits[0] > clock.waits[1] > 0
    assert clock.waits[0] < 2 * WRITE


def test_a_replica_that_does_not_write_is_waited_for_once() -> None:
    clock = ClockWithNews()
    turns = turns_of("b", News(a=1, b=2), clock)
    turns.wrote(WRITE)
    turns.wait()
    turns.wait()
    assert len(clock.waits) == 1


def test_a_change_that_comes_later_than_the_rest_does_not_wait() -> None:
    clock = ClockWithNews()
    turns = turns_of("b", News(a=1, b=2), clock)
    turns.wrote(WRITE)
    clock.rest(WRITE)
    turns.wait()
    assert clock.waits == []


def test_a_write_that_would_lose_is_not_sent_but_never_twice_in_a_row() -> None:
    clock, news = ClockWithNews(), News(a=1, b=2)
    turns = turns_of("b", news, clock)
    assert not turns.outrun()
    news.tell(b=2, a=3)
    assert [turns.outrun(), turns.outrun()] == [True, False]
