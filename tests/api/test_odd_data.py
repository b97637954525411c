"""Parameters that are only compared with stored data accept any value that the data may hold."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services.import_export import importing
from cimaster.services.pool_file import data_of
from cimaster.settings import Settings

JSON = {"Accept": "application/json"}
RECORDS: list[dict[str, Any]] = [
    {"name": "cluster-01", "status": "finished"},
    {"name": "busy", "status": "testing", "lastJob": "Größe e2e", "lastBuild": "7", "lastTriggerName": "José"},
    {"name": "double", "status": "testing", "lastJob": "a  job\u200b", "lastBuild": " 8\n"},
    {"name": "held", "status": "finished", "hold": True, "holdBy": "Jane Doe"},
    {"name": "odd-hold", "status": "finished", "hold": True, "holdBy": " Jane\u00a0 Doe\u200b "},
    {"name": "long-hold", "status": "finished", "hold": True, "holdBy": "x" * 300},
    {"name": "torn", "status": "finished", "hold": True, "holdBy": "a\r\nX-Y: b\u202e\x1b[2J", "holdDesc": "c\nd"},
    {"name": "unseen", "status": "finished", "hold": True, "holdBy": "\u200b"},
    {"name": "turned \u202e", "status": "finished"},
    {"name": "labelled", "status": "finished", "labels": {"team/area": "x/y", "a=b": "c d", "größe": ""}},
    {"name": " Blank  Name ", "status": "finished", "purpose": "My  Purpose", "region": "Süd ", "osimage": "a b"},
]


@pytest.fixture(autouse=True)
def pool(repository: ConfigMapRepository, settings: Settings) -> None:
    """A pool written by other programs."""
    repository.update(importing(data_of(json.dumps(RECORDS)), settings, replace=False))


def names(client: FlaskClient, **filters: object) -> list[str]:
    """Return the names of the clusters that a filter shows."""
    answer = client.get("/clusters", query_string=filters, headers=JSON)
    assert answer.status_code == 200, answer.text
    return [cluster["name"] for cluster in answer.get_json()["clusters"]]


@pytest.mark.parametrize(
    ("cluster", "job", "build"),
    [("busy", "Größe e2e", "7"), ("double", "a  job\u200b", " 8\n"), ("double", "a job", "8")],
)
def test_a_job_of_any_name_can_be_finished(client: FlaskClient, cluster: str, job: str, build: str) -> None:
    answer = client.get("/finishtest", query_string={"cluster": cluster, "job": job, "build": build})
    assert (answer.status_code, answer.text) == (200, f"cluster {cluster} is finished\n")


def test_a_refusal_that_repeats_what_the_data_hold_is_one_line(client: FlaskClient) -> None:
    for path in (
        "/holdcluster?cluster=torn&name=eve",
        "/getvacant?cluster=torn&build=1&job=e2e",
        "/releasecluster?cluster=torn&name=eve",
    ):
        for answer in (client.get(path).text.rstrip("\n"), client.get(path, headers=JSON).get_json()["detail"]):
            assert "held by a X-Y: b[2J" in answer
            assert answer.isprintable()


def test_a_success_that_quotes_data_is_one_printable_line(client: FlaskClient) -> None:
    sent = {"cluster": "turned \u202e", "name": "eve"}
    answer = client.get("/holdcluster", query_string=sent).text
    assert answer.startswith("cluster turned is held by eve until ")
    assert answer.rstrip("\n").isprintable()
    assert "\u202e" not in client.get("/holdcluster", query_string=sent, headers=JSON).get_json()["message"]
    taken = client.get("/getvacant?build=1&job=e2e&cluster=cluster-01")
    assert taken.text == "cluster-01"


def test_a_holder_that_cannot_be_seen_is_an_unknown_user(client: FlaskClient) -> None:
    assert "held by an unknown user" in client.get("/clusters/unseen").text
    assert "held by an unknown user" in client.get("/holdcluster?cluster=unseen&name=eve").text


def test_a_job_build_or_lease_that_is_another_is_not_current(client: FlaskClient) -> None:
    for said in ({"job": "Größer"}, {"build": "7\u0301"}, {"lease": "größe / x"}, {"job": "x" * 5000}):
        answer = client.post("/finishtest", json={"cluster": "busy", **said}, headers=JSON)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "not_current")


@pytest.mark.parametrize(
    ("cluster", "name"),
    [
        ("held", "Jane Doe"),
        ("held", "jane doe"),
        ("odd-hold", "Jane Doe"),
        ("odd-hold", RECORDS[4]["holdBy"]),
        ("long-hold", "X" * 300),
    ],
)
def test_a_holder_of_any_name_can_release(client: FlaskClient, cluster: str, name: str) -> None:
    answer = client.post("/releasecluster", json={"cluster": cluster, "name": name})
    assert (answer.status_code, answer.text) == (200, f"cluster {cluster} is released\n")


def test_any_unauthorized_name_gets_the_promised_sentence(client: FlaskClient) -> None:
    for name, shown in {"José": "José", "a\nb\u202e": "a b", "Jane  Do": "Jane Do"}.items():
        answer = client.get("/releasecluster", query_string={"cluster": "held", "name": name})
        assert (answer.status_code, answer.text.partition(":")[0]) == (403, f"user {shown} is not authorized")


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        ({"holder": "José"}, ["busy"]),
        ({"holder": "JANE doe"}, ["held", "odd-hold"]),
        ({"holder": "x" * 300}, ["long-hold"]),
        ({"holder": "not\nthere"}, []),
        ({"label": "team/area=x/y"}, ["labelled"]),
        ({"label": ["team/area=x/y", "a=b=c d", "größe="]}, ["labelled"]),
        ({"label": "team/area=x"}, []),
        ({"purpose": "My Purpose"}, [" Blank  Name "]),
        ({"purpose": "My  Purpose"}, [" Blank  Name "]),
        ({"region": "Süd"}, [" Blank  Name "]),
        ({"region": "!?"}, []),
        ({"q": "größe E2E"}, ["busy"]),
        ({"q": "x" * 2000}, []),
    ],
)
def test_a_list_can_be_filtered_by_any_stored_value(
    client: FlaskClient, filters: dict[str, Any], shown: list[str]
) -> None:
    assert names(client, **filters) == shown


def test_a_cluster_of_any_kind_can_be_taken(client: FlaskClient) -> None:
    kind = {"build": "1", "job": "e2e", "purpose": "My  Purpose", "region": "Süd", "osimage": "a b"}
    answer = client.get("/getvacant", query_string=kind)
    assert (answer.status_code, answer.text) == (200, " Blank  Name ")
    finished = client.get(
        "/finishtest", query_string={"cluster": answer.text, "lease": answer.headers["CIMaster-Lease"]}
    )
    assert finished.status_code == 200
    labels = ["team/area=x/y", "a=b=c d"]
    answer = client.post("/getvacant", json={"build": 1, "job": "e2e", "label": labels})
    assert (answer.status_code, answer.text) == (200, "labelled")
    answer = client.get("/getvacant", query_string={"build": 1, "job": "e2e", "purpose": "no\nsuch" + "x" * 2000})
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (404, "no_such_cluster_kind")
    assert len(answer.text) < 300


@pytest.mark.parametrize("name", [" Blank  Name ", "Blank Name", "Blank Name\n"])
def test_a_cluster_whose_name_has_odd_blanks_can_be_named(client: FlaskClient, name: str) -> None:
    sent = {"cluster": name, "name": "alice"}
    assert client.get("/getvacant", query_string={**sent, "build": 1, "job": "a"}).text == " Blank  Name "
    assert client.get("/finishtest", query_string={"cluster": name, "job": "a"}).status_code == 200
    assert client.post("/holdcluster", json=sent).status_code == 200
    assert client.get("/releasecluster", query_string=sent).status_code == 200
    assert client.get(f"/clusters/{name.strip()}", headers=JSON).get_json()["name"] == " Blank  Name "
    history = client.get("/history", query_string={"cluster": name}, headers=JSON).get_json()["history"]
    assert [entry["event"] for entry in history] == ["released", "held", "finished", "taken"]


def test_two_names_that_look_the_same_are_both_broken(
    client: FlaskClient, repository: ConfigMapRepository, settings: Settings
) -> None:
    records = [{"name": "cluster-01", "status": "finished"}, {"name": " cluster-01\u200b", "status": "testing"}]
    repository.update(importing(data_of(json.dumps(records)), settings, replace=True))
    listed = client.get("/clusters", headers=JSON).get_json()["clusters"]
    assert [cluster["state"] for cluster in listed] == ["broken", "broken"]
    answer = client.get("/finishtest?cluster=cluster-01")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (409, "cluster_broken")


def test_unknown_names_are_refused_on_one_short_line(client: FlaskClient) -> None:
    for path, name in {
        "/finishtest": "cluster",
        "/history": "cluster",
        "/creations": "creation",
        "/policies": "purpose",
    }.items():
        for odd in ("a\r\nX: b\u202e", "x" * 3000):
            answer = client.get(path, query_string={name: odd})
            assert answer.status_code in (200, 404)
            assert len(answer.text) < 400
            assert answer.text.rstrip("\n").isprintable()
