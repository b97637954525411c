"""The queue: all readers see the waiting callers, what they requested, since when, and in which order."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cimaster.services import waiting_room
from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}


@pytest.fixture(autouse=True)
def _briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_room, "_LONGEST_REQUEST", 0.05)


def test_the_queue_of_an_idle_pool_is_empty(client: FlaskClient, add: Add) -> None:
    assert client.get("/queue").text == "no caller is waiting for a cluster\n"
    assert client.get("/queue", headers=JSON).get_json() == {"tickets": []}


def test_each_ticket_is_a_line_in_the_order_of_service(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    client.get("/getvacant?build=1&job=e2e")
    client.get("/getvacant?build=2&job=e2e&name=ann&wait=10m&request_id=r-2&region=us-west&label=gpu%3Dyes")
    assert client.get("/queue").text == "no caller is waiting for a cluster\n"  # no cluster has that label
    client.get("/getvacant?build=2&job=e2e&name=ann&wait=10m&request_id=r-2&region=us-west")
    client.get("/getvacant?build=3&job=e2e&name=bob&wait=10m&request_id=r-3&priority=high")
    clock.forward(minutes=1)
    heads, first, second = client.get("/queue").text.splitlines()
    assert heads.split()[:7] == ["PLACE", "REQUEST", "JOB", "BY", "FOR", "PRIORITY", "WAITING"]
    assert heads.split()[7:] == ["EXPECTED", "UNTIL", "CONNECTED"]
    assert first.split()[:6] == ["1", "r-3", "e2e", "#3", "bob", "tess-ci"]
    assert "high" in first
    assert second.startswith("2      r-2")
    assert "tess-ci cluster with region us-west" in second
    assert second.endswith("no")


def test_json_has_all_facts_about_a_ticket(app: Flask, client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/getvacant?build=1&job=e2e")
    client.get("/getvacant?build=2&job=e2e&name=ann&wait=10m&ttl=2h&request_id=r-2")
    answer = client.get("/queue", headers=JSON)
    assert answer.headers["CIMaster-Commit"]
    (ticket,) = answer.get_json()["tickets"]
    assert ticket["ask"] == {"job": "e2e", "build": "2", "by": "ann", "ttl": "2h"}
    assert (ticket["place"], ticket["id"], ticket["priority"], ticket["there"]) == (1, "r-2", "normal", True)
    assert {"since", "until"} < set(ticket)
    assert "hash" not in ticket
