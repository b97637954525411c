"""Changing the facts about a cluster, even while it is in use."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Add

JSON = {"Accept": "application/json"}


def update(client: FlaskClient, **facts: object) -> TestResponse:
    """Change cluster-01 as the admin does."""
    return client.get("/updatecluster", query_string={"cluster": "cluster-01", "name": "root", **facts})


def record(client: FlaskClient) -> dict[str, Any]:
    """Return the public record of cluster-01."""
    found: dict[str, Any] = client.get("/clusters/cluster-01", headers=JSON).get_json()
    return found


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.headers["CIMaster-Code"]


def test_an_admin_changes_only_the_facts_that_are_sent(client: FlaskClient, add: Add) -> None:
    add("cluster-01", note="old", osimage="flatcar")
    answer = update(client, region="eu-central", label="gpu=yes")
    assert (answer.status_code, answer.text) == (200, "cluster cluster-01 is updated\n")
    expected = {"region": "eu-central", "labels": {"gpu": "yes"}, "note": "old", "osimage": "flatcar"}
    assert expected.items() <= record(client).items()


def test_labels_replace_all_labels(client: FlaskClient, add: Add) -> None:
    add("cluster-01", label=["gpu=yes", "size=large"])
    update(client, label="size=small")
    assert record(client)["labels"] == {"size": "small"}


def test_cleared_facts_are_removed_and_the_others_stay(client: FlaskClient, add: Add) -> None:
    add("cluster-01", note="old", osimage="flatcar", label="gpu=yes")
    assert update(client, clear="note,label", region="us-east").text == "cluster cluster-01 is updated\n"
    shown = record(client)
    assert (shown["region"], shown["osimage"]) == ("us-east", "flatcar")
    assert shown.keys().isdisjoint({"note", "labels"})
    assert update(client, clear="note").text == "cluster cluster-01 is unchanged\n"
    assert update(client, clear="osimage").status_code == 200
    assert "osimage" not in record(client)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"clear": "region"}, "clear is 'region': expected osimage, label, note, or several of them"),
        ({"clear": "note", "note": "new"}, "note is sent, and clear says to remove it: leave one of them out"),
        ({"clear": "label", "label": "a=b"}, "label is sent, and clear says to remove it"),
    ],
    ids=["unknown", "note", "label"],
)
def test_a_clear_that_cannot_be_is_refused(client: FlaskClient, add: Add, sent: dict[str, str], reason: str) -> None:
    add("cluster-01", note="old")
    answer = update(client, **sent)
    assert refusal(answer) == (400, "bad_parameter")
    assert reason in answer.text
    assert record(client)["note"] == "old"


def test_the_image_of_a_tnet_ci_cluster_cannot_be_cleared(client: FlaskClient, add: Add) -> None:
    add("cluster-01", purpose="tnet-ci", osimage="flatcar")
    assert "osimage is required for purpose tnet-ci" in update(client, clear="osimage").text
    assert record(client)["osimage"] == "flatcar"


def test_lease_and_hold_stay(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    lease = client.get("/getvacant?build=1&job=a").headers["CIMaster-Lease"]
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    update(client, purpose="perf")
    shown = record(client)
    assert (shown["purpose"], shown["leaseId"], shown["holdBy"]) == ("perf", lease, "alice")


def test_the_history_says_what_was_changed(client: FlaskClient, add: Add) -> None:
    add("cluster-01", label="gpu=yes")
    update(client, region="us-east", label="size=small", note="b")
    entry = client.get("/history", headers=JSON).get_json()["history"][0]
    assert (entry["event"], entry["by"]) == ("updated", "root")
    assert entry["reason"] == "region us-east, labels size=small, note b"


def test_an_update_that_changes_nothing_is_a_success_that_says_so(client: FlaskClient, add: Add) -> None:
    add("cluster-01", region="us-west")
    answer = update(client, region="us-west")
    assert (answer.status_code, answer.text) == (200, "cluster cluster-01 is unchanged\n")


def test_an_update_without_facts_lists_the_possible_ones(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = update(client)
    assert refusal(answer) == (400, "missing_parameter")
    assert "give region, purpose, osimage, label, note or clear" in answer.text


def test_tnet_ci_needs_an_osimage(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = update(client, purpose="tnet-ci")
    assert refusal(answer) == (400, "bad_parameter")
    assert "osimage" in answer.text
    assert update(client, purpose="tnet-ci", osimage="flatcar").status_code == 200


def test_users_who_are_no_admins_are_not_authorized(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = client.get("/updatecluster?cluster=cluster-01&name=charlie&region=mars")
    assert refusal(answer) == (403, "not_authorized")
    assert answer.text.startswith("user charlie is not authorized")
    assert record(client)["region"] == "us-west"


def test_an_unknown_cluster_is_not_found(client: FlaskClient) -> None:
    assert refusal(update(client, region="mars")) == (404, "unknown_cluster")


@pytest.mark.parametrize("fact", ["note", "region"])
def test_the_same_update_with_a_request_id_gets_the_same_answer(client: FlaskClient, add: Add, fact: str) -> None:
    add("cluster-01")
    first = update(client, request_id="r-1", **{fact: "a"})
    update(client, **{fact: "b"})
    again = update(client, request_id="r-1", **{fact: "a"})
    assert (again.text, again.headers["CIMaster-Repeated"]) == (first.text, "true")
    assert record(client)[fact] == "b"
