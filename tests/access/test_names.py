"""The name of an authenticated caller: its own, unless it may name others."""

import json

import pytest
from flask.testing import FlaskClient

from cimaster.services.clusters import Clusters
from tests.access.conftest import As
from tests.log_lines import logged

JSON = {"Accept": "application/json"}


@pytest.fixture(autouse=True)
def one_cluster(admin: FlaskClient) -> None:
    """The pool has one cluster."""
    assert admin.post("/addcluster", data={"cluster": "cluster-01", "region": "us-west"}).status_code == 200


def holder(service: Clusters) -> str:
    """Return the holder of the cluster."""
    hold = service.view_now().pool.find("cluster-01").hold
    return hold.by if hold else ""


@pytest.mark.parametrize("given", [{}, {"name": "person-1"}, {"name": "Person-1"}])
def test_a_person_holds_under_its_own_name(calling: As, service: Clusters, given: dict[str, str]) -> None:
    answer = calling("person-1").post("/holdcluster", data={"cluster": "cluster-01", **given})
    assert (answer.status_code, holder(service)) == (200, "person-1")


def test_another_name_is_refused(calling: As, service: Clusters) -> None:
    answer = calling("person-1").post("/holdcluster", data={"cluster": "cluster-01", "name": "person-2"}, headers=JSON)
    refusal = json.loads(answer.data)
    assert (answer.status_code, refusal["code"], refusal["you"]) == (403, "not_you", "person-1")
    assert refusal["detail"].startswith("user person-2 is not authorized: you are person-1; leave name out, or ask")
    assert holder(service) == ""


def test_a_caller_for_others_names_another_person(calling: As, service: Clusters) -> None:
    answer = calling("for-others-1").post("/holdcluster", data={"cluster": "cluster-01", "name": "carol"})
    assert (answer.status_code, holder(service)) == (200, "carol")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (["a" * 64], "name is 'aaaa"),
        (["al\u200dice"], "expected a name of 1 to 63 characters that can all be seen"),
        (["for-others-1", "carol"], "name is given 2 times: give it once"),
    ],
)
def test_the_name_of_another_person_is_read_as_in_open_mode(
    calling: As, service: Clusters, name: list[str], expected: str
) -> None:
    refused = calling("for-others-1").post("/holdcluster", data={"cluster": "cluster-01", "name": name})
    assert (refused.status_code, refused.headers["CIMaster-Code"]) == (400, "bad_parameter")
    assert expected in refused.text
    assert holder(service) == ""


def test_naming_an_admin_gives_no_rights_of_an_admin(calling: As, service: Clusters) -> None:
    calling("person-1").post("/holdcluster", data={"cluster": "cluster-01"})
    taking_over = {"cluster": "cluster-01", "name": "root", "force": "true", "reason": "mine"}
    assert calling("for-others-1").post("/holdcluster", data=taking_over).status_code == 403
    assert (
        calling("for-others-1").post("/releasecluster", data={"cluster": "cluster-01", "name": "root"}).status_code
        == 403
    )
    assert holder(service) == "person-1"


def test_a_hold_for_another_person_needs_a_role(calling: As, admin: FlaskClient, service: Clusters) -> None:
    wanted = {"cluster": "cluster-01", "to": "person-2"}
    refused = calling("person-1").post("/holdcluster", data=wanted)
    assert (refused.status_code, refused.headers["CIMaster-Code"]) == (403, "not_allowed")
    assert (admin.post("/holdcluster", data=wanted).status_code, holder(service)) == (200, "person-2")


def test_only_the_holder_or_an_admin_releases(calling: As, admin: FlaskClient, service: Clusters) -> None:
    calling("person-1").post("/holdcluster", data={"cluster": "cluster-01"})
    assert calling("person-2").post("/releasecluster", data={"cluster": "cluster-01"}).status_code == 403
    assert holder(service) == "person-1"
    assert admin.post("/releasecluster", data={"cluster": "cluster-01"}).status_code == 200
    assert holder(service) == ""


def test_the_names_of_a_take_are_a_label(calling: As, service: Clusters) -> None:
    taking = {"build": "1", "job": "e2e", "email": "ci-bot@example.com"}
    assert calling("ci-1").post("/getvacant", data=taking).text == "cluster-01"
    cluster = service.view_now().pool.find("cluster-01")
    assert cluster.last_trigger_name == "ci-bot"


def test_a_request_without_a_name_is_the_same_request_with_it(calling: As) -> None:
    holding = {"cluster": "cluster-01", "request_id": "r-1"}
    first = calling("person-1").post("/holdcluster", data=holding)
    again = calling("person-1").post("/holdcluster", data={**holding, "name": "person-1"})
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["CIMaster-Repeated"] == "true"


def test_log_and_history_name_the_caller(calling: As, admin: FlaskClient) -> None:
    with logged() as log:
        calling("ci-1").post("/getvacant", data={"build": "1", "job": "e2e", "name": "carol"})
    [line] = log.lines
    assert (line["caller"], line["source"], line["remote"]) == ("ci-1", "token", "127.0.0.1")
    [change, *_] = json.loads(admin.get("/history", headers=JSON).data)["history"]
    assert (change["event"], change["by"]) == ("taken", "carol")
    assert (change["caller"], change["via"]) == ("ci-1", "token from 127.0.0.1")


def test_the_page_of_the_history_names_the_caller_of_a_take(calling: As, admin: FlaskClient) -> None:
    calling("ci-1").post("/getvacant", data={"build": "1", "job": "e2e", "name": "carol"})
    calling("person-1").post("/holdcluster", data={"cluster": "cluster-01"})
    page = admin.get("/ui/history").text
    assert 'title="token from 127.0.0.1">sent by ci-1</span>' in page
    assert "sent by person-1" not in page
