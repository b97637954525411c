"""Two or three requests, each on its own replica, in every order and with a fault at every step.

The mutations at the end each remove one thing that makes writes safe; the same search must find each of them.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from cimaster import pool as decide
from cimaster.pool import Answer, Criteria, FinishRequest, Pool
from cimaster.repository.committer import Committer
from cimaster.repository.pending_changes import Decision
from cimaster.repository.stores.port import StoredObject
from cimaster.repository.write_attempts import WriteAttempts
from tests.repository.interleavings import Caller, Run, refusal, runs

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _without_logs() -> Iterator[None]:
    """Suppress log lines: thousands of runs lose answers on purpose."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def taking(name: str) -> Decision:
    """Return a take whose lease has the name of its caller."""
    return lambda pool, now: decide.take(pool, now, Criteria(job="e2e", build=name), name)


def finishing(cluster: str, lease: str) -> Decision:
    """Return a finish; its answer has no lease, because its caller no longer has one."""

    def change(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
        pool, answer = decide.finish(pool, now, FinishRequest(cluster, lease))
        return pool, Answer(answer.text)

    return change


def two_takes() -> list[Caller]:
    return [Caller(name, taking(name), kind="take") for name in ("alice", "bob")]


def three_takes() -> list[Caller]:
    return [Caller(name, taking(name), kind="take") for name in ("alice", "bob", "carol")]


def check(names: tuple[str, ...], make: Callable[[], list[Caller]], faults: int) -> int:
    """Run all schedules; return how many there were."""
    count = 0
    for run in runs(names, make, faults=faults):
        assert not run.violation(), (run.violation(), run.trace)
        count += 1
    return count


@pytest.mark.parametrize("names", [("c1",), ("c1", "c2"), ("c1", "c2", "c3")])
def test_two_takes_with_two_faults_get_true_answers(names: tuple[str, ...]) -> None:
    assert check(names, two_takes, faults=2) > 500


def test_three_takes_with_a_fault_get_true_answers() -> None:
    assert check(("c1", "c2"), three_takes, faults=1) > 1000


def finish_then_take() -> list[Caller]:
    """Return callers of which Bob takes a cluster after Alice's finish was answered: hers must be available to him."""
    taken = Caller("alice", taking("alice"))
    finished = Caller("alice again", finishing("c1", "alice"), after=taken)
    return [taken, finished, Caller("bob", taking("bob"), after=finished)]


def false_answer(run: Run) -> str:
    """Describe the violation if Bob, whose take came after the finish, was refused the cluster."""
    finished_before = [caller for caller in run.callers if caller.name == "bob" and refusal(caller)]
    holders = run.cell.holders()
    return f"bob was refused, and {holders}" if finished_before or holders != {"c1": "bob"} else ""


def test_a_returned_cluster_is_available_to_the_next_caller() -> None:
    count = 0
    for run in runs(("c1",), finish_then_take, faults=2):
        assert not false_answer(run), (false_answer(run), run.trace)
        count += 1
    assert count > 50


class NoSlot(WriteAttempts):
    """Does not look for its own id in the objects that it reads."""

    def observe(self, stored: StoredObject) -> list[Decision]:
        """Consider every write dead as soon as the version has changed."""
        annotations = {key: text for key, text in stored.annotations.items() if key != self.slot}
        return super().observe(stored.replaced(stored.data, annotations))


class HastyWithdrawal(WriteAttempts):
    """Considers a write dead although the version that it is based on is still the newest."""

    def observe(self, stored: StoredObject) -> list[Decision]:
        """Forget the writes that the read does not show."""
        undo = super().observe(stored)
        for attempt in list(self._open):
            self.withdraw(attempt)
        return undo


class TrustingCommitter(Committer):
    """Answers a refusal without checking how old the state is."""

    def _settle_without_write(self, results: Any, base: Any) -> None:
        with self._lock:
            for pending, result in results:
                pending.settle(result, base.commit)


def test_the_search_finds_an_ignored_slot() -> None:
    assert any(run.violation() for run in runs(("c1", "c2"), two_takes, faults=1, attempts=NoSlot))


def test_the_search_finds_an_unchecked_refusal() -> None:
    assert any(false_answer(run) for run in runs(("c1",), finish_then_take, faults=0, committer=TrustingCommitter))


def test_the_search_finds_a_write_given_up_too_early() -> None:
    assert any(run.violation() for run in runs(("c1", "c2"), two_takes, faults=2, attempts=HastyWithdrawal))
