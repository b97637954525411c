"""Adding clusters to the inventory: by admins, once, and with every property that jobs may request."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

JSON = {"Accept": "application/json"}


def add_one(client: FlaskClient, cluster: str = "cluster-01", **more: Any) -> TestResponse:
    """Add a cluster as the admin does."""
    sent = {"cluster": cluster, "region": "us-west", "name": "root", **more}
    return client.get("/addcluster", query_string={key: value for key, value in sent.items() if value is not None})


def record(client: FlaskClient, name: str = "cluster-01") -> dict[str, Any]:
    """Return the public record of a cluster."""
    found: dict[str, Any] = client.get(f"/clusters/{name}", headers=JSON).get_json()
    return found


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.headers["CIMaster-Code"]


def test_add_by_an_admin_answers_with_the_promised_sentence(client: FlaskClient) -> None:
    answer = add_one(client)
    assert (answer.status_code, answer.text) == (200, "cluster cluster-01 is added successfully\n")
    expected = {
        "name": "cluster-01",
        "region": "us-west",
        "status": "finished",
        "state": "vacant",
        "purpose": "tess-ci",
        "osimage": "",
        "hold": False,
        "disabled": False,
        "lastJob": "",
        "lastBuild": "",
        "lastTriggerName": "",
    }
    assert expected.items() <= record(client).items()


def test_a_new_cluster_has_every_property_that_jobs_may_request(client: FlaskClient) -> None:
    answer = add_one(
        client, purpose="tnet-ci", osimage="flatcar", label=["gpu=yes", "size=large"], note="has new network cards"
    )
    assert answer.status_code == 200
    expected = {
        "purpose": "tnet-ci",
        "osimage": "flatcar",
        "labels": {"gpu": "yes", "size": "large"},
        "note": "has new network cards",
    }
    assert expected.items() <= record(client).items()


def test_users_who_are_no_admins_are_not_authorized(client: FlaskClient) -> None:
    answer = add_one(client, name="alice")
    assert refusal(answer) == (403, "not_authorized")
    assert answer.text.startswith("user alice is not authorized")
    assert refusal(client.get("/clusters/cluster-01")) == (404, "unknown_cluster")


def test_admins_are_the_names_in_the_file_without_case(client: FlaskClient) -> None:
    assert add_one(client, name="bob").status_code == 200
    assert add_one(client, name="ROOT").status_code == 200


def test_without_admins_the_refusal_says_so_and_not_where_the_list_is(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "botadmin" / "users").unlink()
    answer = add_one(client)
    assert refusal(answer) == (403, "not_authorized")
    assert "the service has none; an operator adds names to its list of admins" in answer.text
    assert "botadmin" not in answer.text
    assert "users" not in answer.text


def test_adding_it_again_with_the_same_facts_is_a_success(client: FlaskClient) -> None:
    add_one(client, note="a", label="gpu=yes")
    again = add_one(client, note="a", label="gpu=yes")
    assert (again.status_code, again.text) == (200, "cluster cluster-01 is added successfully\n")
    assert again.headers["CIMaster-Repeated"] == "true"
    assert client.get("/clusters").text.count("cluster-01") == 1


@pytest.mark.parametrize(
    "other", [{"region": "us-east"}, {"purpose": "perf"}, {"osimage": "x"}, {"note": "b"}, {"label": "gpu=no"}]
)
def test_adding_it_again_with_other_facts_is_refused(client: FlaskClient, other: dict[str, str]) -> None:
    add_one(client)
    answer = add_one(client, **other)
    assert refusal(answer) == (409, "cluster_exists")
    assert "change it with /updatecluster" in answer.text


def test_the_refusal_names_what_differs_as_callers_write_it(client: FlaskClient) -> None:
    add_one(client, label="gpu=yes")
    assert "exists already, with labels gpu=yes: change it" in add_one(client, label="gpu=no").text


def test_tnet_ci_needs_an_osimage(client: FlaskClient) -> None:
    answer = add_one(client, purpose="tnet-ci")
    assert refusal(answer) == (400, "missing_parameter")
    assert "osimage is required" in answer.text


@pytest.mark.parametrize("missing", ["cluster", "region", "name"])
def test_cluster_region_and_name_are_required(client: FlaskClient, missing: str) -> None:
    without: dict[str, Any] = {missing: None}
    answer = add_one(client, **without)
    assert refusal(answer) == (400, "missing_parameter")
    assert f"{missing} is required" in answer.text


@pytest.mark.parametrize(
    "name", ["Cluster-01", "-a", "a-", "a_b", "a b", "a..b", "a.-b", ".a", "a.", "#1", "a/b", "ä", "x" * 64, "a\nb"]
)
def test_a_new_name_is_a_dns_name(client: FlaskClient, name: str) -> None:
    answer = add_one(client, name)
    assert refusal(answer) == (400, "bad_parameter")
    assert "such as cluster-05" in answer.text


def test_no_cluster_can_be_called_any(client: FlaskClient) -> None:
    answer = add_one(client, "any")
    assert refusal(answer) == (400, "bad_parameter")
    assert "another name than 'any'" in answer.text


@pytest.mark.parametrize("name", ["a", "5", "cluster-05", "a.b-c.d", "x" * 63])
def test_dns_names_are_accepted(client: FlaskClient, name: str) -> None:
    assert add_one(client, name).status_code == 200
    assert client.get("/getvacant?build=1&job=a").text == name


@pytest.mark.parametrize("label", ["gpu", "=yes", "gpu yes=1", "gpu=a b", "-a=b", "a=-b", "a=b=c", "x" * 64 + "=y"])
def test_a_label_follows_the_rules_of_kubernetes(client: FlaskClient, label: str) -> None:
    answer = add_one(client, label=label)
    assert refusal(answer) == (400, "bad_parameter")
    assert "key=value" in answer.text


def test_labels_with_a_prefix_and_without_a_value_are_accepted(client: FlaskClient) -> None:
    assert add_one(client, label=["example.com/gpu=yes", "spare="]).status_code == 200
    assert record(client)["labels"] == {"example.com/gpu": "yes", "spare": ""}


def test_the_same_add_with_a_request_id_gets_the_same_answer(client: FlaskClient) -> None:
    add_one(client, request_id="r-1")
    client.get("/deletecluster?cluster=cluster-01&name=root")
    again = add_one(client, request_id="r-1")
    assert (again.status_code, again.headers["CIMaster-Repeated"]) == (200, "true")
    assert refusal(client.get("/clusters/cluster-01")) == (404, "unknown_cluster")
