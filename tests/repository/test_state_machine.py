"""Replicas, faults, crashes and time in any order: every answer is true.

Hypothesis drives a fleet of replicas step by step. A model, which knows only the requests and answers of callers, is
compared with the store after each step. Each mutation removes one thing that makes writes safe; the same search must
find each of them.
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from cimaster.pool import UNVERIFIED, Answer, Caller, HoldTerms, Pool, Request
from cimaster.pool.decisions import checking
from cimaster.pool.records.health import CLAIM_FIELDS
from cimaster.repository.configmap_repository import Committed
from cimaster.services.clusters import Clusters
from tests.repository.fleet_machine import Replicas
from tests.repository.fleet_model import Violation
from tests.repository.health_machine import HealingReplicas
from tests.repository.owner_machine import ReplicasWithOwners
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


@pytest.mark.parametrize("machine", [Replicas, HealingReplicas, ReplicasWithOwners])
def test_every_answer_is_true(machine: type[Replicas]) -> None:
    run_state_machine_as_test(machine, settings=settings(SEARCH, max_examples=300))


class WithoutSlot(Replicas):
    attempts = NoSlot


class WithHastyWithdrawal(Replicas):
    attempts = HastyWithdrawal


class WithTrust(Replicas):
    committer = TrustingCommitter


class WithHandOverInTwoSteps(HealingReplicas):
    """Releases a cluster before the next person holds it."""

    def _handed_over(
        self, cluster: str, by: str, is_admin: bool, to: str, service: Clusters, request: Request | None
    ) -> Committed:
        service.release(cluster, by, is_admin)
        return service.hold(cluster, to, HoldTerms())


class WithSharedClaims(HealingReplicas):
    """Lets a replica claim a check that another one has claimed."""

    @staticmethod
    def claim_decision(pool: Pool, now: datetime, name: str, owner: str, duration: timedelta) -> tuple[Pool, Answer]:
        cluster = pool.find(name)
        unclaimed = cluster.edited(**dict.fromkeys(CLAIM_FIELDS))
        return checking.claim(pool.with_record(cluster, unclaimed, pool.history), now, name, owner, duration)


class WithUnverifiedOwners(ReplicasWithOwners):
    """Does not compare the caller with the owner of a lease."""

    @staticmethod
    def verified(owner: str) -> Caller:
        return UNVERIFIED


class WithSharedRequestIds(ReplicasWithOwners):
    """Counts request ids for all owners together."""

    @staticmethod
    def request_of(owner: str, number: int) -> Request:
        return Request(f"same-{number}", "", "getvacant")


@pytest.mark.parametrize(
    "mutated",
    [
        *(WithoutSlot, WithHastyWithdrawal, WithTrust, WithHandOverInTwoSteps, WithSharedClaims),
        *(WithUnverifiedOwners, WithSharedRequestIds),
    ],
)
def test_the_search_finds_each_mutation(mutated: type[Replicas]) -> None:
    with pytest.raises(Violation):
        run_state_machine_as_test(mutated, settings=settings(SEARCH, phases=[Phase.generate], max_examples=3000))
