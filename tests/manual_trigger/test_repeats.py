"""Repeated requests: with the same id, while the first one runs, simultaneously, or after a lost answer."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cimaster.common.clock import Clock
from tests.kube.apiserver import ControlPlane
from tests.kube.faults import FaultyServer
from tests.manual_trigger.conftest import Caller, Start, refusal
from tests.manual_trigger.deck import Deck
from tests.manual_trigger.plank import Plank, Prow


class StoppedClock(Clock):
    """A clock whose stored times are always the same."""

    def __call__(self) -> datetime:
        return datetime(2026, 11, 25, 12, 0, 59, tzinfo=UTC)


def test_the_same_request_id_gets_the_same_job(caller: Caller, prow: Prow) -> None:
    first = caller.trigger(request_id="r-1")
    again = caller.trigger(request_id="r-1")
    assert (first.status_code, again.status_code) == (201, 200)
    same = {key: again.get_json()[key] for key in ("job_name", "status_link", "log_link", "build_id")}
    assert same == {key: first.get_json()[key] for key in same}
    assert len(prow.jobs()) == 1
    assert prow.jobs()[0]["metadata"]["annotations"]["cimaster.io/request-id"] == "r-1"


def test_the_header_idempotency_key_is_a_request_id(caller: Caller, prow: Prow) -> None:
    first = caller.trigger(headers={"Idempotency-Key": "r-1"})
    assert caller.trigger(request_id="r-1").get_json()["job_name"] == first.get_json()["job_name"]
    assert len(prow.jobs()) == 1


def test_a_repeat_gets_its_job_even_after_its_end_or_with_force(caller: Caller, prow: Prow) -> None:
    name = caller.trigger(request_id="r-1").get_json()["job_name"]
    prow.end(name)
    again = caller.trigger(request_id="r-1", force=True)
    assert (again.status_code, again.get_json()["job_name"]) == (200, name)
    assert (again.get_json()["state"], again.get_json()["complete"]) == ("success", True)


def test_a_repeat_gets_its_job_even_if_it_left_the_configuration(caller: Caller, deck: Deck) -> None:
    name = caller.trigger(request_id="r-1").get_json()["job_name"]
    deck.serve({"periodics": []})
    assert caller.post("/reload").status_code == 200
    assert caller.trigger(request_id="r-1").get_json()["job_name"] == name


@pytest.mark.parametrize(
    "change",
    [
        {"user": "alice"},
        {"base_ref": "release-1"},
        {"base_sha": "a" * 40},
        {"prowjob": "e2e-tnet"},
        {"prowtype": "presubmit", "prowjob": "pull-tessops-verify", "pullrequest": 7},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_request_id_belongs_to_one_request(caller: Caller, prow: Prow, change: dict[str, Any]) -> None:
    assert caller.trigger(request_id="r-1").status_code == 201
    status, code, sentence = refusal(caller.trigger(request_id="r-1", **change))
    assert (status, code) == (422, "request_id_reused")
    assert "use a new one" in sentence
    assert len(prow.jobs()) == 1


def test_another_request_id_starts_another_job(caller: Caller, prow: Prow) -> None:
    assert caller.trigger(request_id="r-1").status_code == 201
    assert caller.trigger(request_id="r-2").status_code == 201
    assert len(prow.jobs()) == 2


def test_without_an_id_a_second_request_gets_the_running_job(caller: Caller, prow: Prow) -> None:
    first = caller.trigger()
    again = caller.trigger(source="somewhere else")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.get_json()["job_name"] == first.get_json()["job_name"]
    assert len(prow.jobs()) == 1


@pytest.mark.parametrize("change", [{"user": "alice"}, {"base_ref": "release-1"}, {"base_sha": "a" * 40}])
def test_a_request_for_another_user_or_branch_starts_another_job(
    caller: Caller, prow: Prow, change: dict[str, Any]
) -> None:
    assert caller.trigger().status_code == 201
    assert caller.trigger(**change).status_code == 201
    assert len(prow.jobs()) == 2


def test_after_its_end_the_job_can_be_started_again(caller: Caller, prow: Prow) -> None:
    names = []
    for _ in range(3):
        answer = caller.trigger()
        assert answer.status_code == 201
        names.append(answer.get_json()["job_name"])
        prow.end(names[-1])
    assert len(set(names)) == len(prow.jobs()) == 3


def test_a_job_that_was_removed_can_be_started_again(caller: Caller, prow: Prow) -> None:
    prow.delete(caller.trigger().get_json()["job_name"])
    assert caller.trigger().status_code == 201


def test_force_starts_another_job_next_to_the_running_one(caller: Caller, prow: Prow) -> None:
    assert caller.trigger().status_code == 201
    assert caller.trigger(force=True).status_code == 201
    assert len(prow.jobs()) == 2


def test_a_job_started_by_another_program_is_not_a_repeat(caller: Caller, prow: Prow) -> None:
    stored = prow.job(caller.trigger().get_json()["job_name"])
    theirs = {"name": "theirs", "labels": stored["metadata"]["labels"]}
    assert prow.create({**stored, "metadata": theirs}).status == 201
    prow.end(stored["metadata"]["name"])
    assert caller.trigger().status_code == 201


@pytest.mark.parametrize("parameters", [{}, {"request_id": "r-1"}], ids=["without-id", "with-id"])
def test_simultaneous_requests_to_two_replicas_start_one_job(
    start: Start, plank: Plank, prow: Prow, parameters: dict[str, Any]
) -> None:
    callers = [start(clock=StoppedClock()) for _ in range(2)] * 4
    together = threading.Barrier(len(callers))

    def ask(caller: Caller) -> tuple[int, str]:
        together.wait()
        answer = caller.trigger(**parameters)
        return answer.status_code, answer.get_json()["job_name"]

    with ThreadPoolExecutor(len(callers)) as pool:
        answers = list(pool.map(ask, callers))
    assert len({name for _, name in answers}) == len(prow.jobs()) == 1
    assert sorted(status for status, _ in answers) == [200] * 7 + [201]


@pytest.fixture
def faulty(prow_plane: ControlPlane) -> Iterator[FaultyServer]:
    with FaultyServer(prow_plane).running() as server:
        yield server


@pytest.fixture
def unlucky(
    start: Start, faulty: FaultyServer, prow_plane: ControlPlane, namespace: str, tmp_path: Path, plank: Plank
) -> Caller:
    """A caller of a service whose connection to the API server loses answers."""
    path = tmp_path / "faulty.kubeconfig"
    prow_plane.service_account_kubeconfig(namespace, path, faulty.url, "manual-trigger")
    return start(path)


@pytest.mark.parametrize("parameters", [{}, {"request_id": "r-1"}, {"force": True}], ids=["plain", "with-id", "force"])
@pytest.mark.parametrize("fault", ["lose_before", "lose_after", "conflict_after", "unavailable"])
def test_one_job_is_started_with_any_fault_of_the_answer(
    unlucky: Caller, faulty: FaultyServer, prow: Prow, fault: str, parameters: dict[str, Any]
) -> None:
    faulty.script.append(fault)
    answer = unlucky.trigger(**parameters)
    assert answer.status_code in (200, 201), answer.text
    assert [job["metadata"]["name"] for job in prow.jobs()] == [answer.get_json()["job_name"]]


def test_a_create_that_arrives_late_meets_the_second_one(unlucky: Caller, faulty: FaultyServer, prow: Prow) -> None:
    faulty.script.append("late")
    answer = unlucky.trigger()
    assert answer.status_code == 201
    assert faulty.release_late() == [409]
    assert len(prow.jobs()) == 1


def test_an_unknown_outcome_is_reported_and_a_repeat_finds_it_out(
    unlucky: Caller, faulty: FaultyServer, prow: Prow
) -> None:
    faulty.script.append("cut_after")
    answer = unlucky.trigger(request_id="r-1")
    status, code, sentence = refusal(answer)
    assert (status, code) == (503, "outcome_unknown")
    assert "repeat the request with the same request_id" in sentence
    faulty.down = False
    again = unlucky.trigger(request_id="r-1")
    assert again.status_code == 200
    assert [job["metadata"]["name"] for job in prow.jobs()] == [answer.get_json()["job_name"]]
    assert again.get_json()["job_name"] == answer.get_json()["job_name"]
