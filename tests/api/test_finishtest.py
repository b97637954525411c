"""Giving a cluster back: early, late, twice, and never another job's."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}


def take(client: FlaskClient, build: object = 1, **more: object) -> TestResponse:
    """Take a cluster as a job does."""
    return client.get("/getvacant", query_string={"build": build, "job": "e2e-test", **more})


def finish(client: FlaskClient, **parameters: object) -> TestResponse:
    """Give cluster-01 back."""
    return client.get("/finishtest", query_string={"cluster": "cluster-01", **parameters})


def state(client: FlaskClient, name: str = "cluster-01") -> str:
    """Return the public state of cluster-01."""
    found: str = client.get(f"/clusters/{name}", headers=JSON).get_json()["state"]
    return found


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.headers["CIMaster-Code"]


def test_a_job_gives_its_cluster_back_by_job_and_build(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    lease = take(client, 123).headers["CIMaster-Lease"]
    answer = finish(client, job="e2e-test", build="123")
    assert (answer.status_code, answer.text) == (200, "cluster cluster-01 is finished\n")
    assert answer.headers["CIMaster-Lease"] == lease
    assert state(client) == "vacant"


def test_a_job_gives_its_cluster_back_by_lease(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    lease = take(client).headers["CIMaster-Lease"]
    assert finish(client, lease=lease).status_code == 200
    assert state(client) == "vacant"


def test_a_legacy_script_gives_a_cluster_back_by_its_name_alone(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    take(client)
    assert finish(client).text == "cluster cluster-01 is finished\n"
    assert state(client) == "vacant"


def test_the_json_answer_has_the_current_record(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    take(client, 9, name="Alice")
    got = client.get("/finishtest?cluster=cluster-01&build=9", headers=JSON).get_json()
    assert (got["state"], got["status"], got["lastBuild"]) == ("vacant", "finished", "9")
    assert got["message"] == "cluster cluster-01 is finished"
    assert "leaseId" not in got
    assert got["vacantSince"]


def fence(how: str, lease: str) -> dict[str, Any]:
    """Return the parameters by which a finish names its lease."""
    ways: dict[str, dict[str, Any]] = {"lease": {"lease": lease}, "job and build": {"job": "e2e-test", "build": 1}}
    return ways.get(how, {})


@pytest.mark.parametrize("how", ["lease", "job and build", "neither"])
def test_a_second_finish_is_a_success_that_says_so(client: FlaskClient, add: Add, how: str) -> None:
    add("cluster-01")
    lease = take(client).headers["CIMaster-Lease"]
    parameters = fence(how, lease)
    assert finish(client, **parameters).status_code == 200
    again = finish(client, **parameters)
    assert again.status_code == 200
    assert "already finished" in again.text


@pytest.mark.parametrize("how", ["lease", "job and build"])
def test_a_late_finish_does_not_hurt_the_next_job(client: FlaskClient, add: Add, how: str) -> None:
    add("cluster-01")
    lease = take(client, 1).headers["CIMaster-Lease"]
    parameters = fence(how, lease)
    finish(client, **parameters)
    take(client, 2)
    late = finish(client, **parameters)
    assert late.status_code == 200
    assert "already finished" in late.text
    assert state(client) == "occupied"


def test_finish_of_an_expired_lease_is_refused(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    lease = take(client, 1, ttl="10m").headers["CIMaster-Lease"]
    clock.forward(minutes=11)
    assert refusal(finish(client, lease=lease)) == (410, "lease_over")
    take(client, 2)
    answer = finish(client, job="e2e-test", build=1)
    assert refusal(answer) == (410, "lease_over")
    assert "its time ran out" in answer.text
    assert "e2e-test #2" in answer.text
    assert state(client) == "occupied"


def test_finish_by_a_job_without_a_lease_names_the_current_job(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    take(client, 1, name="Alice")
    for parameters in ({"job": "other"}, {"build": 2}, {"job": "e2e-test", "build": 3}, {"lease": "a" * 32}):
        answer = finish(client, **parameters)
        assert refusal(answer) == (409, "not_current")
        assert "occupied by e2e-test #1 for Alice" in answer.text
    assert state(client) == "occupied"


def test_a_finish_of_a_cluster_that_was_never_taken_is_not_current(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    assert refusal(finish(client, job="e2e-test", build=1)) == (409, "not_current")
    assert finish(client).status_code == 200


@pytest.mark.parametrize("parameters", [{"job": "e2e-test", "build": 7}, {"build": 7}, {"job": "e2e-test"}])
def test_a_job_that_is_run_again_with_the_same_build_ends_its_new_lease(
    client: FlaskClient, add: Add, clock: MovableClock, parameters: dict[str, Any]
) -> None:
    add("cluster-01")
    take(client, 7)
    finish(client, **parameters)
    take(client, 7)
    clock.forward(seconds=31)
    answer = finish(client, **parameters)
    assert (answer.status_code, answer.text) == (200, "cluster cluster-01 is finished\n")
    assert state(client) == "vacant"


def test_a_repeated_finish_does_not_end_the_lease_of_the_second_run(
    client: FlaskClient, add: Add, clock: MovableClock
) -> None:
    add("cluster-01")
    take(client, 7)
    finish(client, job="e2e-test", build=7)
    lease = take(client, 7).headers["CIMaster-Lease"]
    clock.forward(seconds=20)
    answer = finish(client, job="e2e-test", build=7)
    assert (answer.status_code, answer.text) == (200, "cluster cluster-01 was already finished\n")
    assert state(client) == "occupied"
    assert finish(client, lease=lease).text == "cluster cluster-01 is finished\n"


@pytest.mark.parametrize("how", ["lease", "name", "build"])
def test_only_an_equal_finish_counts_as_a_repeat(client: FlaskClient, add: Add, how: str) -> None:
    add("cluster-01")
    lease = take(client, 7).headers["CIMaster-Lease"]
    parameters: dict[str, dict[str, Any]] = {"lease": {"lease": lease}, "name": {}, "build": {"build": 7}}
    finish(client, **parameters[how])
    take(client, 7)
    answer = finish(client, job="e2e-test", build=7)
    assert (answer.status_code, answer.text) == (200, "cluster cluster-01 is finished\n")
    assert state(client) == "vacant"
    assert finish(client, lease=lease).text == "cluster cluster-01 was already finished\n"


def test_leaving_the_queue_is_not_recorded_as_a_finish(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    lease = take(client, 7, request_id="first", wait="1m").headers["CIMaster-Lease"]
    assert "is given back" in client.get("/leavequeue?request_id=first").text
    take(client, 7)
    assert finish(client, job="e2e-test", build=7).text == "cluster cluster-01 is finished\n"
    assert finish(client, lease=lease).text == "cluster cluster-01 was already finished\n"


def test_a_rerun_after_an_expired_lease_ends_its_new_lease(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    take(client, 7, ttl="1m")
    clock.forward(seconds=61)
    take(client, 7)
    assert finish(client, job="e2e-test", build=7).text == "cluster cluster-01 is finished\n"


def test_the_last_three_leases_are_remembered(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    for build in (1, 2, 3, 4):
        take(client, build)
        finish(client, build=build)
    take(client, 5)
    assert [finish(client, build=build).status_code for build in (4, 3, 2)] == [200, 200, 200]
    assert refusal(finish(client, build=1)) == (409, "not_current")


def test_the_same_finish_with_a_request_id_gets_the_same_answer(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    take(client, 1)
    first = finish(client, request_id="r-1")
    take(client, 2)
    again = finish(client, request_id="r-1")
    assert (again.status_code, again.text) == (200, first.text)
    assert again.headers["CIMaster-Repeated"] == "true"
    assert state(client) == "occupied"


def test_finish_of_a_held_cluster_names_the_holder(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    take(client, 1)
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    assert "it is now held by alice until 20" in finish(client, build=1).text
    assert state(client) == "held"


def test_finish_of_an_unknown_cluster_names_the_nearest(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = client.get("/finishtest?cluster=cluster-0l")
    assert refusal(answer) == (404, "unknown_cluster")
    assert "did you mean cluster-01?" in answer.text
    assert client.get("/finishtest", headers=JSON).get_json()["parameter"] == "cluster"
