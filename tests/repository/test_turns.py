"""Replicas that want to write at once take turns; nobody waits long for one that has nothing to write."""

from collections.abc import Callable

from cimaster.attempts import SLOT_PREFIX
from cimaster.turns import Turns, ahead_of
from tests.repository.interleavings import StillClock


def slots(**commits: int) -> dict[str, str]:
    """Return the annotations of replicas by the number of their last commit."""
    return {SLOT_PREFIX + name: f"id 2026-01-02T03:04:05Z {commit}" for name, commit in commits.items()}


def ahead(name: str, **commits: int) -> int:
    return ahead_of(SLOT_PREFIX + name, {**slots(**commits), "owner": "alice"})


def test_who_has_not_written_for_longest_goes_first() -> None:
    assert [ahead(name, a=10, b=11, c=12) for name in "abc"] == [0, 1, 2]


def test_who_never_wrote_waits_for_nobody() -> None:
    assert ahead("new", a=10, b=11) == 0


def test_who_stopped_writing_is_not_waited_for() -> None:
    assert ahead("c", a=10, b=95, c=100) == 1


def test_a_slot_that_somebody_spoilt_is_as_good_as_none() -> None:
    assert ahead_of(SLOT_PREFIX + "a", {SLOT_PREFIX + "b": "garbage", SLOT_PREFIX + "a": "id 2026 x"}) == 0


class News:
    """What the watch told last."""

    def __init__(self, **commits: int) -> None:
        self.version, self.annotations, self.behind = "1", slots(**commits), False

    def wait(self, seconds: float) -> None:
        """Nothing new comes by itself."""

    def tell(self, **commits: int) -> None:
        """Another replica wrote."""
        self.version, self.annotations, self.behind = self.version + "1", slots(**commits), True


class ClockWithNews(StillClock):
    """Time in which something may happen while somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.happens: list[Callable[[], None]] = []
        self.waits: list[float] = []

    def wait(self, waiting: Callable[[float], None], seconds: float) -> None:
        self.waits.append(seconds)
        if self.happens:
            self.happens.pop(0)()
        else:
            super().wait(waiting, seconds)


def turns_of(name: str, news: News, clock: ClockWithNews) -> Turns:
    return Turns(news, clock, SLOT_PREFIX + name)  # type: ignore[arg-type]


def test_without_a_race_nobody_waits() -> None:
    clock = ClockWithNews()
    turns_of("b", News(a=1, b=2), clock).wait(1)
    assert clock.waits == []


def test_after_a_race_the_winner_lets_the_others_write_first() -> None:
    clock, news = ClockWithNews(), News(a=1, c=2, b=3)
    turns = turns_of("b", news, clock)
    turns.raced()
    clock.happens = [lambda: news.tell(c=2, b=3, a=4), lambda: news.tell(b=3, a=4, c=5)]
    turns.wait(1)
    assert len(clock.waits) == 2
    assert clock.waits[0] > clock.waits[1] > 0


def test_a_replica_that_does_not_take_its_turn_is_waited_for_once() -> None:
    clock = ClockWithNews()
    turns = turns_of("b", News(a=1, b=2), clock)
    turns.raced()
    turns.wait(1)
    assert len(clock.waits) == 1


def test_a_write_that_would_lose_is_not_sent_but_never_twice_running() -> None:
    clock, news = ClockWithNews(), News(a=1, b=2)
    turns = turns_of("b", news, clock)
    assert not turns.outrun()
    news.tell(b=2, a=3)
    assert [turns.outrun(), turns.outrun()] == [True, False]


def test_who_passes_on_what_comes_alone_tries_again_to_write_by_itself() -> None:
    clock, news = ClockWithNews(), News(b=2)
    news.annotations[SLOT_PREFIX + "a"] = "id 2026-01-02T03:04:05Z 3 http://a"
    turns = turns_of("b", news, clock)
    turns.raced()
    for _ in range(1000):
        clock.rest(0.01)
        turns.passed(2)
    assert turns.writer() == "http://a"
    turns.passed(1)
    clock.passed += 60
    assert turns.writer() == ""
