"""Holds that wait in the queue, are shared, or are made for another person, over HTTP."""

from datetime import timedelta

from flask.testing import FlaskClient

from tests.conditions import until
from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}


def busy(client: FlaskClient, add: Add) -> None:
    """Add a cluster that a job has."""
    add("c-1")
    assert client.get("/getvacant?build=1&job=e2e").status_code == 200


def test_a_person_waits_without_a_connection_and_then_holds(client: FlaskClient, add: Add) -> None:
    busy(client, add)
    answer = client.get("/holdcluster?cluster=any&name=alice&desc=disk&duration=2h&wait=2d", headers=JSON)
    assert (answer.status_code, answer.headers["CIMaster-Place"]) == (202, "1")
    ticket = answer.get_json()["ticket"]
    [listed] = client.get("/queue", headers=JSON).get_json()["tickets"]
    assert (listed["id"], listed["place"], listed["there"]) == (ticket, 1, True)
    assert "alice" in client.get("/queue").text
    client.get("/finishtest?cluster=c-1&job=e2e&build=1")
    shown = client.get("/clusters/c-1", headers=JSON).get_json()
    assert (shown["state"], shown["holdBy"], shown["holdDesc"]) == ("held", "alice", "disk")
    assert client.get("/queue", headers=JSON).get_json()["tickets"] == []


def test_a_vacant_cluster_is_held_immediately_and_no_ticket_is_left(client: FlaskClient, add: Add) -> None:
    add("c-1")
    answer = client.get("/holdcluster?cluster=c-1&name=alice&wait=2d")
    assert (answer.status_code, "is held by alice until" in answer.text) == (200, True)


def test_a_place_in_the_queue_is_given_up(client: FlaskClient, add: Add) -> None:
    busy(client, add)
    ticket = client.get("/holdcluster?cluster=c-1&name=alice&wait=2d", headers=JSON).get_json()["ticket"]
    assert client.get(f"/leavequeue?request_id={ticket}").text == f"request {ticket} is no longer waiting\n"
    client.get("/finishtest?cluster=c-1&job=e2e&build=1")
    assert client.get("/clusters/c-1", headers=JSON).get_json()["state"] == "vacant"


def test_the_reaper_serves_a_person_when_a_job_before_them_is_gone(
    client: FlaskClient, add: Add, clock: MovableClock
) -> None:
    busy(client, add)
    for _ in range(2):
        assert client.get("/getvacant?build=2&job=perf").status_code == 404  # a legacy poll has a place
    client.get("/holdcluster?cluster=c-1&name=alice&wait=2d")
    client.get("/finishtest?cluster=c-1&job=e2e&build=1")
    assert client.get("/clusters/c-1", headers=JSON).get_json()["state"] == "vacant"
    clock.moved += timedelta(seconds=70)
    until(lambda: client.get("/clusters/c-1", headers=JSON).get_json()["state"] == "held")


def test_a_shared_hold_is_extended_and_released_by_those_it_is_shared_with(client: FlaskClient, add: Add) -> None:
    add("c-1")
    client.get("/holdcluster", query_string={"cluster": "c-1", "name": "alice", "with": "carol, Bob"})
    assert "held by alice" in client.get("/holdcluster?cluster=c-1&name=bob&duration=9h").text
    assert client.get("/releasecluster?cluster=c-1&name=eve").status_code == 403
    assert client.get("/releasecluster?cluster=c-1&name=Carol").status_code == 200
    assert client.get("/clusters/c-1", headers=JSON).get_json()["state"] == "vacant"


def test_an_admin_holds_a_cluster_for_another_person(client: FlaskClient, add: Add) -> None:
    add("c-1")
    assert client.get("/holdcluster?cluster=c-1&name=alice&to=bob").status_code == 403
    assert "is held by bob until" in client.get("/holdcluster?cluster=c-1&name=root&to=bob").text
    entry = client.get("/history?cluster=c-1", headers=JSON).get_json()["history"][0]
    assert (entry["by"], entry["newHolder"]) == ("root", "bob")


def test_the_history_names_the_admin_who_extends_another_persons_hold(client: FlaskClient, add: Add) -> None:
    add("c-1")
    client.get("/holdcluster?cluster=c-1&name=bob&duration=1h")
    assert client.get("/holdcluster?cluster=c-1&name=root&to=bob&duration=5h").status_code == 200
    entry = client.get("/history?cluster=c-1", headers=JSON).get_json()["history"][0]
    assert (entry["event"], entry["by"], entry["holder"]) == ("hold extended", "root", "bob")


def test_holding_again_with_other_people_shares_the_hold_with_them(client: FlaskClient, add: Add) -> None:
    add("c-1")
    for people in ("carol", "Alice,bob"):
        assert client.get(f"/holdcluster?cluster=c-1&name=alice&with={people}").status_code == 200
    assert client.get("/clusters/c-1", headers=JSON).get_json()["holdWith"] == ["bob"]
    assert client.get("/history?cluster=c-1", headers=JSON).get_json()["history"][0]["event"] == "hold shared"


def test_wait_and_force_are_refused_together(client: FlaskClient, add: Add) -> None:
    add("c-1")
    answer = client.get("/holdcluster?cluster=c-1&name=root&wait=1h&force=true&reason=r", headers=JSON)
    assert (answer.status_code, answer.get_json()["parameter"]) == (400, "wait")


def test_wait_and_expect_are_refused_together(client: FlaskClient, add: Add) -> None:
    add("c-1")
    answer = client.get("/holdcluster?cluster=c-1&name=alice&wait=1h&expect=vacant", headers=JSON)
    assert (answer.status_code, answer.get_json()["parameter"]) == (400, "expect")
