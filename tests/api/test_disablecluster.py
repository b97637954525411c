"""Taking a cluster out of lending: its job finishes first, and the reason is shown."""

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Add

JSON = {"Accept": "application/json"}


def disable(client: FlaskClient, **more: object) -> TestResponse:
    """Disable cluster-01 as the admin does."""
    return client.get("/disablecluster", query_string={"cluster": "cluster-01", "name": "root", **more})


def record(client: FlaskClient) -> dict[str, Any]:
    """Return the public record of cluster-01."""
    found: dict[str, Any] = client.get("/clusters/cluster-01", headers=JSON).get_json()
    return found


def test_a_disabled_cluster_is_not_lent_and_says_why(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = disable(client, reason="waits for a new switch")
    assert (answer.status_code, answer.text) == (200, "cluster cluster-01 is disabled\n")
    shown = record(client)
    assert (shown["state"], shown["disabledBy"]) == ("disabled", "root")
    assert client.get("/getvacant?build=1&job=a").headers["CIMaster-Code"] == "no_vacant_cluster"
    assert "disabled by root: waits for a new switch" in client.get("/clusters").text


def test_a_disabled_cluster_is_not_lent_after_its_running_job_finishes(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/getvacant?build=124&job=e2e")
    assert "e2e #124 keeps it until it finishes" in disable(client).text
    assert record(client)["state"] == "occupied"
    assert "it is now disabled by root" in client.get("/finishtest?cluster=cluster-01&job=e2e&build=124").text
    assert record(client)["state"] == "disabled"
    assert client.get("/getvacant?build=1&job=a").headers["CIMaster-Code"] == "no_vacant_cluster"


def test_disabling_it_again_is_a_success_that_says_so(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    disable(client, reason="a")
    again = disable(client, reason="a")
    assert (again.status_code, again.text) == (200, "cluster cluster-01 was disabled already\n")
    assert disable(client, reason="b").text == "cluster cluster-01 is disabled\n"
    assert record(client)["disabledReason"] == "b"


def test_users_who_are_no_admins_are_not_authorized(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = disable(client, name="alice")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "not_authorized")
    assert record(client)["state"] == "vacant"


def test_an_unknown_cluster_is_not_found(client: FlaskClient) -> None:
    assert disable(client).headers["CIMaster-Code"] == "unknown_cluster"


def test_the_same_request_id_gets_the_same_answer(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    first = disable(client, request_id="r-1")
    client.get("/enablecluster?cluster=cluster-01&name=root")
    again = disable(client, request_id="r-1")
    assert (again.text, again.headers["CIMaster-Repeated"]) == (first.text, "true")
    assert record(client)["state"] == "vacant"


def test_disabling_again_without_a_reason_keeps_the_first_one(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/disablecluster?cluster=cluster-01&name=root&reason=switch")
    assert "already" in client.get("/disablecluster?cluster=cluster-01&name=root").text
    assert "switch" in client.get("/clusters/cluster-01").text
