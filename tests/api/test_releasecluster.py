"""Releasing a hold: the holder's own, or with an admin's right."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}


def release(client: FlaskClient, name: str = "alice", **more: object) -> TestResponse:
    """Release cluster-01."""
    return client.get("/releasecluster", query_string={"cluster": "cluster-01", "name": name, **more})


def record(client: FlaskClient) -> dict[str, Any]:
    """Return the public record of cluster-01."""
    found: dict[str, Any] = client.get("/clusters/cluster-01", headers=JSON).get_json()
    return found


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.headers["CIMaster-Code"]


def test_the_holder_releases(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    answer = release(client)
    assert (answer.status_code, answer.text) == (200, "cluster cluster-01 is released\n")
    assert record(client)["state"] == "vacant"
    assert client.get("/getvacant?build=1&job=a").text == "cluster-01"


def test_release_of_a_cluster_that_is_not_held_is_a_success(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = release(client)
    assert (answer.status_code, answer.text) == (200, "cluster cluster-01 was not held\n")


def test_release_of_anothers_hold_is_refused_with_the_holder(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    answer = client.get("/releasecluster?cluster=cluster-01&name=charlie", headers=JSON)
    problem = answer.get_json()
    assert refusal(answer) == (403, "not_authorized")
    assert problem["detail"].startswith("user charlie is not authorized")
    assert problem["holder"] == "alice"
    assert record(client)["state"] == "held"


def test_an_admin_releases_anothers_hold_and_the_history_says_why(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    assert release(client, "bob", reason="she is on holiday").status_code == 200  # the admin file spells it Bob
    newest = client.get("/history?cluster=cluster-01&limit=1", headers=JSON).get_json()["history"][0]
    assert (newest["event"], newest["by"], newest["holder"], newest["reason"]) == (
        "released",
        "bob",
        "alice",
        "she is on holiday",
    )


def test_release_behind_a_job_leaves_the_job_alone(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/getvacant?build=124&job=e2e")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    assert "it is now occupied by e2e #124" in release(client).text
    client.get("/finishtest?cluster=cluster-01&job=e2e&build=124")
    assert record(client)["state"] == "vacant"


def test_a_released_cluster_is_the_last_to_be_lent(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01", "cluster-02")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    clock.forward(minutes=1)
    release(client)
    assert client.get("/getvacant?build=1&job=a").text == "cluster-02"


def test_release_of_an_unknown_cluster_is_not_found(client: FlaskClient) -> None:
    assert refusal(release(client)) == (404, "unknown_cluster")


def test_the_same_release_with_a_request_id_gets_the_same_answer(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    first = release(client, request_id="r-1")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    again = release(client, request_id="r-1")
    assert (again.text, again.headers["CIMaster-Repeated"]) == (first.text, "true")
    assert record(client)["state"] == "held"


def newest(client: FlaskClient) -> dict[str, Any]:
    """Return the newest entry of the history."""
    found: dict[str, Any] = client.get("/history?limit=1", headers=JSON).get_json()["history"][0]
    return found


def test_the_holder_hands_over_in_one_change_and_the_end_stays(
    client: FlaskClient, add: Add, clock: MovableClock
) -> None:
    add("cluster-01")
    client.get("/holdcluster?cluster=cluster-01&name=alice&desc=the+network&duration=2h")
    before = record(client)
    clock.forward(hours=1)
    answer = release(client, to="charlie")
    assert answer.text == f"cluster cluster-01 is held by charlie until {before['holdExpires']}\n"
    shown = record(client)
    for key in ("holdExpires", "heldAt", "holdDesc", "state"):
        assert shown[key] == before[key]
    assert shown["holdBy"] == "charlie"
    entry = newest(client)
    assert (entry["event"], entry["by"], entry["newHolder"], entry["from"], entry["to"]) == (
        "handed over",
        "alice",
        "charlie",
        "held",
        "held",
    )
    assert refusal(release(client)) == (403, "not_authorized")


def test_an_admin_hands_another_persons_hold_over(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    assert release(client, "root", to="charlie", reason="alice has left").status_code == 200
    entry = newest(client)
    assert (entry["by"], entry["holder"], entry["newHolder"], entry["reason"]) == (
        "root",
        "alice",
        "charlie",
        "alice has left",
    )


def test_a_hold_behind_a_job_is_handed_over(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/getvacant?build=124&job=e2e")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    assert "held by charlie from when e2e #124 finishes" in release(client, to="charlie").text
    client.get("/finishtest?cluster=cluster-01&job=e2e&build=124")
    assert (record(client)["state"], record(client)["holdBy"]) == ("held", "charlie")


def test_a_hand_over_that_was_made_already_is_a_success_that_says_so(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    release(client, to="charlie")
    again = release(client, to="Charlie")
    assert again.status_code == 200
    assert "holds it already" in again.text


@pytest.mark.parametrize("name", ["dora", "charlie"])
def test_a_hand_over_of_anothers_hold_is_refused_with_the_holder(client: FlaskClient, add: Add, name: str) -> None:
    add("cluster-01")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    answer = client.get(f"/releasecluster?cluster=cluster-01&name={name}&to=charlie", headers=JSON)
    assert refusal(answer) == (403, "not_authorized")
    assert answer.get_json()["holder"] == "alice"
    assert record(client)["holdBy"] == "alice"


def test_a_hand_over_of_a_cluster_that_is_not_held_changes_nothing(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = release(client, to="charlie")
    assert refusal(answer) == (409, "cluster_not_vacant")
    assert "cluster-01 is no longer held: it is now vacant" in answer.text
    assert record(client)["state"] == "vacant"
