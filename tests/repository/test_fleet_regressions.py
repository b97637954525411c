"""What the state machines once found, each as a fixed sequence of steps.

A finding is a false answer of the service, or a true one that the model took for false.
"""

from collections.abc import Iterator

import pytest

from tests.repository.fleet_machine import PASSES, Replicas
from tests.repository.health_machine import HealingReplicas
from tests.repository.stored_truth import APPLIED, FAILED, REFUSED, SLOW


@pytest.fixture
def machine() -> Iterator[Replicas]:
    """Two replicas and two vacant clusters."""
    machine = Replicas()
    machine.begin(clusters=2, replicas=2, late="first")
    yield machine
    for replica in list(machine.fleet.replicas):
        machine.fleet.crash(replica)


@pytest.fixture
def healing() -> Iterator[HealingReplicas]:
    """Two replicas and one cluster, which is checked while it is vacant."""
    healing = HealingReplicas()
    healing.begin(clusters=1, replicas=2, late="first", rules={"check": "ping"})
    yield healing
    for replica in list(healing.fleet.replicas):
        healing.fleet.crash(replica)


IN_TROUBLE = [[REFUSED], [FAILED, APPLIED, FAILED], [FAILED, PASSES, FAILED]]


@pytest.mark.parametrize("trouble", [[], *IN_TROUBLE], ids=" ".join)
def test_a_take_applied_after_its_caller_gave_up_is_undone(machine: Replicas, trouble: list[str]) -> None:
    read_and_decide, write, undo = [APPLIED, APPLIED], [PASSES, APPLIED], trouble
    machine.take(on=0, then=[*read_and_decide, *write, *undo])
    machine.end_well()


@pytest.mark.parametrize("hours", [0, 2])
def test_a_take_is_undone_after_other_replicas_wrote(machine: Replicas, hours: int) -> None:
    machine.take(on=0, then=[APPLIED, APPLIED, "lost after", PASSES])
    machine.time_passes(seconds=3600.0 * hours)
    machine.take(on=1, then=[APPLIED, APPLIED, APPLIED])
    machine.end_well()


def test_a_disconnected_replica_sends_its_undo_again(machine: Replicas) -> None:
    machine.take(on=0, then=[APPLIED, APPLIED, PASSES, APPLIED])
    machine.time_passes(seconds=7200.0)
    machine.take(on=1, then=[APPLIED, APPLIED, APPLIED])
    machine.end_well()


def test_a_finish_is_not_confirmed_before_it_is_written(machine: Replicas) -> None:
    machine.take(on=0, then=[APPLIED, APPLIED, APPLIED])
    machine.finish(which=0, on=0, then=[])
    machine.finish_whatever_lease(which=0, on=0, then=[APPLIED, APPLIED, REFUSED, REFUSED])
    machine.end_well()


def test_a_hold_when_free_interrupts_a_check_before_it_is_answered(healing: HealingReplicas) -> None:
    healing.claim_check(which=0, on=0, then=[APPLIED] * 3)
    healing.hold_when_free(which=0, on=1, then=[APPLIED, APPLIED, SLOW], named=True)
    assert healing.fleet.truth.records["c1"]["holdBy"] == "p1"
    assert healing.open
    healing.end_well()
