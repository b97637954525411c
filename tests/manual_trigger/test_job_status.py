"""The status of a job that the service has started."""

import pytest

from tests.manual_trigger.conftest import Caller, refusal
from tests.manual_trigger.plank import Prow


def test_a_job_can_be_followed_to_its_end(caller: Caller, prow: Prow) -> None:
    started = caller.trigger().get_json()
    name = started["job_name"]
    answer = caller.get(f"/manual-trigger/{name}")
    assert answer.status_code == 200
    body = answer.get_json()
    assert body == {**started, "message": "e2e-k8s-1.32 is in state pending: Job triggered."}
    prow.end(name)
    ended = caller.get(f"/manual-trigger/{name}").get_json()
    assert (ended["success"], ended["state"], ended["complete"]) == (True, "success", True)
    assert ended["log_link"] == started["log_link"]


def test_a_job_that_prow_could_not_run_is_a_failure(caller: Caller, prow: Prow) -> None:
    name = caller.trigger().get_json()["job_name"]
    prow.end(name, "error", "Pod scheduling timeout.")
    answer = caller.get(f"/manual-trigger/{name}")
    assert (answer.status_code, answer.get_json()["success"]) == (200, False)
    assert answer.get_json()["message"] == "e2e-k8s-1.32 is in state error: Pod scheduling timeout."


def test_a_removed_job_is_unknown(caller: Caller, prow: Prow) -> None:
    name = caller.trigger().get_json()["job_name"]
    prow.delete(name)
    assert refusal(caller.get(f"/manual-trigger/{name}"))[:2] == (404, "unknown_job")


@pytest.mark.parametrize(
    "name", ["never-was", "A", "..", "%2e%2e", "a%2fb", "x" * 300, "a%20b", "%ff", "?watch=1", "a%3fb"]
)
def test_a_name_that_never_existed_is_unknown(caller: Caller, name: str) -> None:
    assert caller.get(f"/manual-trigger/{name}").status_code == 404


def test_a_job_started_by_another_program_is_unknown(caller: Caller, prow: Prow) -> None:
    stored = prow.job(caller.trigger().get_json()["job_name"])
    assert prow.create({**stored, "metadata": {"name": "theirs"}}).status == 201
    assert refusal(caller.get("/manual-trigger/theirs"))[:2] == (404, "unknown_job")
