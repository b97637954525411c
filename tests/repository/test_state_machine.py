"""Replicas, faults, crashes and time in any order: every answer is true.

Hypothesis drives a fleet of replicas step by step. A model, which knows only the requests and answers of callers, is
compared with the store after each step. Each mutation removes one thing that makes writes safe; the same search must
find each of them.
"""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.repository.fleet_machine import Replicas
from tests.repository.fleet_model import Violation
from tests.repository.test_interleavings import HastyWithdrawal, NoSlot, TrustingCommitter

pytestmark = pytest.mark.slow

SEARCH = settings(
    max_examples=600,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
)


@pytest.fixture(autouse=True)
def _without_logs() -> Iterator[None]:
    """Suppress log lines: thousands of steps lose answers on purpose."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_every_answer_is_true() -> None:
    run_state_machine_as_test(Replicas, settings=SEARCH)


class WithoutSlot(Replicas):
    attempts = NoSlot


class WithHastyWithdrawal(Replicas):
    attempts = HastyWithdrawal


class WithTrust(Replicas):
    committer = TrustingCommitter


@pytest.mark.parametrize("mutated", [WithoutSlot, WithHastyWithdrawal, WithTrust])
def test_the_search_finds_each_mutation(mutated: type[Replicas]) -> None:
    with pytest.raises(Violation):
        run_state_machine_as_test(mutated, settings=settings(SEARCH, phases=[Phase.generate], max_examples=3000))
