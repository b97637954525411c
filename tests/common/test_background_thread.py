"""The loop of background threads: it survives its own bugs, can be woken, and ends when it is stopped."""

import threading
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry, Counter

from cimaster.common.background_thread import BackgroundThread
from tests.conditions import until


class Scripted(BackgroundThread):
    """A thread whose rounds a test writes; it pauses for an hour after each."""

    pause_after_error = 3600.0

    def __init__(self, round_: Callable[[], None]) -> None:
        self.registry = CollectorRegistry()
        super().__init__("scripted", Counter("errors", "Failed rounds", ("thread",), registry=self.registry))
        self._round, self.rounds, self.pending = round_, 0, 0

    def work(self) -> None:
        self.rounds += 1
        self.pending = max(self.pending - 1, 0)
        self._round()
        self.pause(3600)

    @property
    def unfinished(self) -> bool:
        return bool(self.pending)

    @property
    def errors(self) -> float | None:
        """The counted exceptions."""
        return self.registry.get_sample_value("errors_total", {"thread": "scripted"})


def test_it_carries_the_name_and_ends_when_stopped() -> None:
    names: list[str] = []
    thread = Scripted(lambda: names.append(threading.current_thread().name))
    assert not thread.alive
    thread.start()
    until(lambda: names)
    assert thread.alive
    thread.stop()
    assert not thread.alive
    assert names == ["scripted"]


def test_an_exception_is_logged_and_counted_and_the_loop_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ZeroDivisionError("oops")

    thread = Scripted(fail)
    assert thread.errors == 0  # from the start
    thread.start()
    until(lambda: thread.errors == 1)
    thread.wake()
    until(lambda: thread.errors == 2)
    assert "oops" in caplog.text
    assert "a round of the scripted thread failed" in caplog.text
    thread.stop()


def test_a_wake_during_a_round_ends_the_pause_after_it() -> None:
    def wake_once() -> None:
        if thread.rounds == 1:
            thread.wake()

    thread = Scripted(wake_once)
    thread.start()
    until(lambda: thread.rounds == 2)
    thread.stop()
    assert thread.rounds == 2


def test_unfinished_work_is_done_before_it_ends() -> None:
    thread = Scripted(lambda: None)
    thread.pending = 5
    thread.start()
    thread.stop()
    assert thread.pending == 0


def test_one_that_was_never_started_can_be_stopped() -> None:
    Scripted(lambda: None).stop()
