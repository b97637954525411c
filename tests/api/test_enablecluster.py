"""Putting a cluster back into lending."""

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}


def enable(client: FlaskClient, **more: object) -> TestResponse:
    """Enable cluster-01 as the admin does."""
    return client.get("/enablecluster", query_string={"cluster": "cluster-01", "name": "root", **more})


def record(client: FlaskClient) -> dict[str, Any]:
    """Return the public record of cluster-01."""
    found: dict[str, Any] = client.get("/clusters/cluster-01", headers=JSON).get_json()
    return found


def test_an_enabled_cluster_is_lent_again(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/disablecluster?cluster=cluster-01&name=root&reason=a")
    answer = enable(client)
    assert (answer.status_code, answer.text) == (200, "cluster cluster-01 is enabled\n")
    shown = record(client)
    assert (shown["state"], shown["disabled"]) == ("vacant", False)
    assert not {"disabledBy", "disabledReason"} & shown.keys()
    assert client.get("/getvacant?build=1&job=a").text == "cluster-01"


def test_enabling_one_that_was_not_disabled_is_a_success_that_says_so(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = enable(client)
    assert (answer.status_code, answer.text) == (200, "cluster cluster-01 was not disabled\n")


def test_an_enabled_cluster_is_the_last_to_be_lent(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01", "cluster-02")
    client.get("/disablecluster?cluster=cluster-01&name=root")
    clock.forward(minutes=1)
    enable(client)
    assert client.get("/getvacant?build=1&job=a").text == "cluster-02"


def test_a_job_that_still_has_it_keeps_it(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/getvacant?build=124&job=e2e")
    client.get("/disablecluster?cluster=cluster-01&name=root")
    enable(client)
    assert record(client)["state"] == "occupied"
    assert client.get("/finishtest?cluster=cluster-01&build=124").text == "cluster cluster-01 is finished\n"


def test_users_who_are_no_admins_are_not_authorized(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/disablecluster?cluster=cluster-01&name=root")
    answer = enable(client, name="alice")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "not_authorized")
    assert record(client)["state"] == "disabled"
