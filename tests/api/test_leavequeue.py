"""Leaving the queue: the next ticket is served immediately."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.test_waiting import ask, give_back, in_line, waits
from tests.conftest import Add, MovableClock


@pytest.fixture
def lent(client: FlaskClient, add: Add) -> None:
    """A pool with one cluster, which is lent to a job."""
    add("cluster-01")
    client.get("/getvacant?build=1&job=first")


def test_leaving_is_answered_immediately_and_the_next_ticket_is_served(
    app: Flask, client: FlaskClient, lent: None
) -> None:
    with ThreadPoolExecutor(2) as threads:
        leaving, after = (waits(app, client, threads, build) for build in ("2", "3"))
        answer = client.get("/leavequeue?request_id=2")
        assert (answer.status_code, answer.text) == (200, "request 2 is no longer waiting\n")
        gone = leaving.result()
        assert (gone.status_code, gone.headers["CIMaster-Code"]) == (410, "request_over")
        assert in_line(client) == ["3"]
        give_back(client, "1", "first")
        assert after.result().text == "cluster-01"


def test_a_cluster_that_was_just_served_is_given_back(app: Flask, client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    ask(app, "2")
    answer = client.post("/leavequeue", json={"request_id": "2"})
    assert answer.text == "request 2 had just been given cluster-01, which is given back\n"
    assert client.get("/getvacant?build=3&job=e2e").text == "cluster-01"


def test_a_cluster_that_was_served_long_ago_stays_with_its_job(
    app: Flask, client: FlaskClient, add: Add, clock: MovableClock
) -> None:
    add("cluster-01")
    ask(app, "2")
    clock.forward(minutes=2)
    answer = client.get("/leavequeue?request_id=2")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (409, "not_current")
    assert client.get("/clusters?state=occupied").text.startswith("NAME")


def test_leaving_twice_or_without_a_place_is_a_success(client: FlaskClient, lent: None) -> None:
    for _ in range(2):
        answer = client.get("/leavequeue?request_id=7")
        assert (answer.status_code, answer.text) == (200, "request 7 is not waiting\n")


def test_an_idempotency_key_sent_by_a_library_changes_nothing(app: Flask, client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    ask(app, "2")
    assert "given back" in client.post("/leavequeue?request_id=2", headers={"Idempotency-Key": "another"}).text


def test_a_link_does_not_remove_a_ticket(client: FlaskClient, lent: None) -> None:
    assert client.get("/leavequeue?request_id=2", headers={"User-Agent": "Mozilla/5.0"}).status_code == 405
