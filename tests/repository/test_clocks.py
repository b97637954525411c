"""The clock skew that a store estimates from the API server's answers."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta

import pytest

from cimaster.common.clock import Clock
from cimaster.repository.stores.kubernetes import KubernetesStore
from tests.conftest import empty_config_map, kube_access_by
from tests.kube.apiserver import ControlPlane


class OddClock(Clock):
    """A clock that is `ahead`, and that advances each time it is read."""

    def __init__(self, ahead: float = 0.0, steps: float = 0.0) -> None:
        self.off, self._step = timedelta(seconds=ahead), timedelta(seconds=steps)

    def __call__(self) -> datetime:
        self.off += self._step
        return super().__call__() + self.off - self._step


@contextmanager
def skew(namespace: str, clock: Clock) -> Iterator[float]:
    """Yield the clock skew that a store estimates from one read."""
    with closing(KubernetesStore(kube_access_by(), namespace, "clusters", clock)) as store:
        store.read()
        assert store.clock_skew is not None
        yield store.clock_skew


@pytest.fixture
def namespace(kube_access: str, control_plane: ControlPlane) -> str:
    """A namespace with an empty pool."""
    empty_config_map(control_plane, kube_access)
    return kube_access


def test_a_correct_clock_has_no_skew(namespace: str) -> None:
    with skew(namespace, Clock()) as found:
        assert found == 0.0


@pytest.mark.parametrize("ahead", [30.0, 3600.0, -30.0, -3600.0])
def test_the_skew_of_a_wrong_clock_is_known_to_about_a_second(namespace: str, ahead: float) -> None:
    with skew(namespace, OddClock(ahead)) as found:
        assert ahead == pytest.approx(found, abs=2.0)


def test_a_slow_answer_is_not_mistaken_for_clock_skew(namespace: str) -> None:
    with skew(namespace, OddClock(steps=60.0)) as found:
        assert found == 0.0


class SettableClock(Clock):
    """A clock that can be set while the monotonic one goes on, as an administrator or NTP does it."""

    def __init__(self) -> None:
        self.wrong_by = timedelta()

    def __call__(self) -> datetime:
        return super().__call__() + self.wrong_by


def test_a_clock_that_was_set_is_noticed_before_the_next_answer(namespace: str) -> None:
    clock = SettableClock()
    with closing(KubernetesStore(kube_access_by(), namespace, "clusters", clock)) as store:
        store.read()
        assert store.current_skew == pytest.approx(0.0, abs=0.5)
        clock.wrong_by = timedelta(hours=1)
        assert store.current_skew == pytest.approx(3600.0, abs=0.5)
        store.read()
        assert store.current_skew == pytest.approx(3600.0, abs=2.0)
