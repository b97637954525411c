"""A short storm in each run of the tests; `make chaos` runs a long one."""

from pathlib import Path

from tests.chaos.storm import Storm
from tests.kube.apiserver import ControlPlane


def test_under_faults_every_answer_is_true_and_no_caller_is_stuck(control_plane: ControlPlane, tmp_path: Path) -> None:
    outcome = Storm(control_plane, tmp_path, seed=7).rage(operations=1000, longest=150)
    assert outcome.problems == []
    assert outcome.observed.operations > 300
    assert len(outcome.events.seen) >= 3
    assert outcome.archived > 0
    assert outcome.notices > 0


def test_a_service_that_forgets_its_own_writes_is_found(control_plane: ControlPlane, tmp_path: Path) -> None:
    forgetful = Storm(control_plane, tmp_path, seed=1, application="tests.chaos.forgetful:app")
    assert forgetful.rage(operations=300, longest=8, patience=5).problems
