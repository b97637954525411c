"""The limit of jobs that one user may start per period."""

from datetime import timedelta

import pytest

from cimaster.common.clock import Clock
from cimaster.manual_trigger.access.rate_limit import RateLimit
from cimaster.manual_trigger.errors import TooMany
from cimaster.manual_trigger.settings import Rate


class HandClock(Clock):
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def rates(clock: HandClock) -> RateLimit:
    return RateLimit(Rate(3, timedelta(minutes=1)), clock)


def test_a_user_may_start_a_burst_and_then_one_per_interval(rates: RateLimit, clock: HandClock) -> None:
    for _ in range(3):
        rates.take("john")
    with pytest.raises(TooMany) as error:
        rates.take("john")
    assert error.value.retry_after == 20
    assert "repeat the request in 20 s" in str(error.value)
    clock.now += 20
    rates.take("john")
    with pytest.raises(TooMany):
        rates.take("john")


def test_each_user_has_a_separate_share(rates: RateLimit) -> None:
    for _ in range(3):
        rates.take("john")
    rates.take("alice")


def test_a_pause_restores_at_most_the_whole_share(rates: RateLimit, clock: HandClock) -> None:
    rates.take("john")
    clock.now += 86400
    for _ in range(3):
        rates.take("john")
    with pytest.raises(TooMany):
        rates.take("john")


def test_users_are_forgotten_after_a_while(rates: RateLimit, clock: HandClock) -> None:
    for number in range(1000):
        rates.take(f"user{number}")
    clock.now += 3600
    rates.take("john")
    assert len(rates._full_at) == 1
