"""The health of clusters over HTTP: results of finishes, quarantine by admins, and how lists show both."""

from typing import Any

from flask.testing import FlaskClient

from tests.conftest import Add

JSON = {"Accept": "application/json"}


def record(client: FlaskClient, name: str = "c-1") -> dict[str, Any]:
    """Return the public record of a cluster."""
    found: dict[str, Any] = client.get(f"/clusters/{name}", headers=JSON).get_json()
    return found


def run(client: FlaskClient, build: str, result: str, name: str = "c-1") -> str:
    """Take a cluster for a build, and give it back with this result."""
    take = client.get(f"/getvacant?build={build}&job=e2e&cluster={name}&email=al@example.com")
    assert take.status_code == 200, take.text
    answer = client.get(f"/finishtest?cluster={name}&job=e2e&build={build}&result={result}")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_cluster_that_fails_everything_is_out_after_three_builds(client: FlaskClient, add: Add) -> None:
    add("c-1", "c-2")
    run(client, "118", "fail")
    run(client, "121", "fail")
    assert "it is now quarantined: 3 failures in a row: e2e #118, #121, #130" in run(client, "130", "fail")
    assert record(client)["state"] == "quarantined"
    assert client.get("/getvacant?build=1&job=e2e").text == "c-2"
    assert "1 quarantined" in client.get("/getvacant?build=2&job=e2e").text
    events = [entry["event"] for entry in client.get("/history?cluster=c-1", headers=JSON).get_json()["history"]]
    assert events[:2] == ["quarantined", "finished"]


def test_results_are_shown_newest_first_and_those_of_old_scripts_are_none(client: FlaskClient, add: Add) -> None:
    add("c-1")
    run(client, "1", "pass")
    run(client, "2", "error")
    client.get("/getvacant?build=3&job=e2e")
    client.get("/finishtest?cluster=c-1")
    shown = record(client)["results"]
    assert [(each["result"], each["job"], each["build"]) for each in shown] == [
        ("error", "e2e", "2"),
        ("pass", "e2e", "1"),
    ]
    assert "ok pass,error" in client.get("/clusters").text


def test_an_admin_quarantines_a_cluster_and_brings_it_back(client: FlaskClient, add: Add) -> None:
    add("c-1")
    answer = client.get("/healthcluster?cluster=c-1&name=root&health=quarantined&reason=flaky+disk")
    assert answer.text == "cluster c-1 is quarantined\n"
    assert "quarantined by root: flaky disk" in client.get("/clusters?health=quarantined").text
    assert client.get("/getvacant?build=1&job=e2e").headers["CIMaster-Code"] == "no_vacant_cluster"
    assert client.get("/healthcluster?cluster=c-1&name=root&health=ok").text == "cluster c-1 is healthy\n"
    assert client.get("/healthcluster?cluster=c-1&name=root&health=ok").text == "cluster c-1 was healthy already\n"
    assert record(client)["state"] == "vacant"


def test_only_admins_set_the_health(client: FlaskClient, add: Add) -> None:
    add("c-1")
    answer = client.get("/healthcluster?cluster=c-1&name=alice&health=quarantined")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "not_authorized")


def test_a_suspect_cluster_is_lent(client: FlaskClient, add: Add) -> None:
    add("c-1")
    client.get("/healthcluster?cluster=c-1&name=root&health=suspect&reason=slow")
    assert "vacant; suspect by root: slow" in client.get("/clusters").text
    assert client.get("/getvacant?build=1&job=e2e").text == "c-1"


def test_a_failed_test_is_held_for_the_person_that_the_take_named(client: FlaskClient, add: Add) -> None:
    add("c-1")
    client.get("/getvacant?build=1&job=e2e&email=al@example.com&hold_on_failure=2h")
    answer = client.get("/finishtest?cluster=c-1&job=e2e&build=1&result=fail")
    assert "it is now held by al until" in answer.text
    assert "(e2e #1 failed)" in answer.text
    refused = client.get("/getvacant?build=2&job=e2e&hold_on_failure=2h", headers=JSON)
    assert (refused.status_code, refused.get_json()["parameter"]) == (400, "name")
    refused = client.get("/getvacant?build=2&job=e2e&name=al&hold_on_failure=9d", headers=JSON)
    assert (refused.status_code, refused.get_json()["parameter"]) == (422, "hold_on_failure")


def test_the_rules_of_a_purpose_are_listed_and_changed_by_admins(client: FlaskClient, add: Add) -> None:
    add("c-1")
    assert client.get("/setpurpose?purpose=tess-ci&after_expiry=quarantine&name=alice").status_code == 403
    answer = client.get("/setpurpose?purpose=tess-ci&after_expiry=quarantine&name=root")
    assert answer.text == "tess-ci clusters: not checked, not cleaned, quarantined after a lease ran out\n"
    assert "quarantined after a lease ran out" in client.get("/purposes").text
    listed = client.get("/purposes", headers=JSON).get_json()["purposes"]
    assert [(each["purpose"], each["afterExpiry"], each["setBy"]) for each in listed] == [
        ("tess-ci", "quarantine", "root")
    ]
    assert client.get("/setpurpose?purpose=tess-ci&name=root").headers["CIMaster-Code"] == "missing_parameter"
    refused = client.get("/setpurpose?purpose=tess-ci&after_expiry=clean&name=root", headers=JSON).get_json()
    assert refused["parameter"] == "after_expiry"
    assert (
        client.get("/setpurpose?purpose=tess-ci&clean=wipe&name=root", headers=JSON).get_json()["parameter"] == "clean"
    )
    client.get("/setpurpose?purpose=tess-ci&after_expiry=default&name=root")
    assert client.get("/purposes", headers=JSON).get_json()["purposes"] == [{"purpose": "tess-ci"}]
