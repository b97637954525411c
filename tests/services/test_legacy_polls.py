"""A script that repeats an identical take is recognized as long as its refusal is remembered."""

from datetime import timedelta

import pytest

from cimaster.common.clock import Clock
from cimaster.services.legacy_polls import LegacyPolls


class Seconds(Clock):
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return the seconds."""
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    """A clock."""
    return Seconds()


@pytest.fixture
def polls(seconds: Seconds) -> LegacyPolls:
    """A memory without any refusals yet."""
    return LegacyPolls(seconds)


def test_a_repeated_take_is_recognized_for_90_seconds(polls: LegacyPolls, seconds: Seconds) -> None:
    assert polls.interval("words", "a") is None
    seconds.now += 20
    assert polls.interval("words", "b") == timedelta(seconds=20)
    seconds.now += 89
    assert polls.interval("words", "a") == timedelta(seconds=89)
    seconds.now += 90
    assert polls.interval("words", "a") is None


def test_a_flood_by_one_caller_does_not_displace_others(polls: LegacyPolls, seconds: Seconds) -> None:
    polls.interval("before", "script")
    for number in range(10_000):
        polls.interval(f"flood-{number}", "flood")
    assert polls.interval("before", "script") is not None
    assert polls.interval("after", "script") is None
    assert polls.interval("after", "script") is not None
    assert polls.interval("flood-9999", "flood") is None
    seconds.now += 90
    assert polls.interval("new", "flood") is None
    assert polls.interval("new", "flood") is not None
