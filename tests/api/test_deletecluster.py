"""Taking clusters out of the pool; one in use needs force and a reason."""

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Add

JSON = {"Accept": "application/json"}


def delete(client: FlaskClient, cluster: str = "cluster-01", **more: object) -> TestResponse:
    """Delete a cluster as the admin does."""
    return client.get("/deletecluster", query_string={"cluster": cluster, "name": "root", **more})


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.headers["CIMaster-Code"]


def test_an_admin_deletes_a_vacant_cluster(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02", "cluster-03")
    answer = delete(client, "cluster-02", reason="its rack is moved")
    assert (answer.status_code, answer.text) == (200, "cluster cluster-02 is deleted\n")
    names = [cluster["name"] for cluster in client.get("/clusters", headers=JSON).get_json()["clusters"]]
    assert names == ["cluster-01", "cluster-03"]
    entry = client.get("/history?cluster=cluster-02", headers=JSON).get_json()["history"][0]
    assert (entry["event"], entry["by"], entry["reason"]) == ("deleted", "root", "its rack is moved")


def test_the_json_answer_has_no_record(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    got = client.get("/deletecluster?cluster=cluster-01&name=root", headers=JSON).get_json()
    assert got == {"message": "cluster cluster-01 is deleted", "commit": 2}


def test_an_occupied_cluster_needs_force_and_a_reason(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/getvacant?build=124&job=e2e")
    answer = delete(client)
    assert refusal(answer) == (409, "cluster_in_use")
    assert "occupied by e2e #124" in answer.text
    assert "force=true and a reason" in answer.text
    assert refusal(delete(client, reason="x")) == (409, "cluster_in_use")
    assert refusal(delete(client, force="false", reason="x")) == (409, "cluster_in_use")
    without_reason = delete(client, force="true")
    assert refusal(without_reason) == (400, "missing_parameter")
    assert "reason is required" in without_reason.text
    assert delete(client, force="true", reason="gone").status_code == 200


def test_a_held_cluster_needs_force_and_a_reason(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    assert "held by alice" in delete(client).text
    client.get("/holdcluster?cluster=cluster-02&name=alice")
    client.get("/disablecluster?cluster=cluster-02&name=root")  # it is shown as disabled, and alice still holds it
    assert refusal(delete(client, "cluster-02")) == (409, "cluster_in_use")
    assert delete(client, "cluster-02", force="true", reason="gone").status_code == 200


def test_force_is_true_or_false(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = delete(client, force="yes")
    assert refusal(answer) == (400, "bad_parameter")
    assert "true or false" in answer.text
    sent = {"cluster": "cluster-01", "name": "root", "force": True, "reason": "x"}
    assert client.post("/deletecluster", json=sent).status_code == 200


def test_a_name_that_was_deleted_may_be_added_again(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    delete(client)
    add("cluster-01", region="eu-central")
    assert client.get("/getvacant?build=1&job=a").text == "cluster-01"


def test_deleting_it_again_is_not_found(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    delete(client)
    assert refusal(delete(client)) == (404, "unknown_cluster")


def test_the_same_delete_with_a_request_id_gets_the_same_answer(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    first = delete(client, request_id="r-1")
    add("cluster-01")
    again = delete(client, request_id="r-1")
    assert (again.text, again.headers["CIMaster-Repeated"]) == (first.text, "true")
    assert client.get("/clusters/cluster-01").status_code == 200


def test_users_who_are_no_admins_are_not_authorized(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = client.get("/deletecluster?cluster=cluster-01&name=alice")
    assert refusal(answer) == (403, "not_authorized")
    assert client.get("/clusters/cluster-01").status_code == 200


def test_finish_of_a_deleted_cluster_says_that_it_was_deleted(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    lease = client.get("/getvacant?build=124&job=e2e").headers["CIMaster-Lease"]
    delete(client, force="true", reason="gone")
    assert refusal(client.get(f"/finishtest?cluster=cluster-01&lease={lease}")) == (404, "unknown_cluster")
