"""Hold when free: a person waits in line for a cluster, sees the place, and cancels."""

import re

import pytest
from flask.testing import FlaskClient

from tests.conftest import Add, MovableClock
from tests.pages.conftest import SignIn, follow, hold, text
from tests.pages.test_hold import DIALOG, history, state

WAITS = {"cluster": "cluster-01", "wait": "2d", "duration": "1h", "desc": "a look"}


@pytest.fixture
def held(add: Add, person: SignIn) -> FlaskClient:
    """The browser of bob, who holds the only cluster."""
    add("cluster-01")
    bob = person("bob")
    hold(bob, "cluster-01")
    return bob


def tickets(browser: FlaskClient) -> list[str]:
    """Return the ids of the tickets."""
    found = browser.get("/queue", headers={"Accept": "application/json"}).get_json()["tickets"]
    return [ticket["id"] for ticket in found]


def test_the_visitor_sees_their_place_and_gets_the_cluster(held: FlaskClient, alice: FlaskClient) -> None:
    assert "Hold when free cluster-01" in text(alice.get("/"))
    done = alice.post("/ui/holdwhenfree", data=WAITS)
    page = text(follow(alice, done))
    assert "You are number 1 in line. You will hold the cluster when your turn comes" in page
    assert re.search(r"You are number 1 in line for cluster-01, about (6 h|5 h 59 min)", page)
    assert "· leaves the queue" in page
    assert "1 person waiting" in page
    held.post("/ui/release", data={"cluster": "cluster-01"})
    assert (state(alice)["holdBy"], state(alice)["holdDesc"]) == ("alice", "a look")
    assert "in line for" not in text(alice.get("/"))
    assert "held when free" in text(alice.get("/ui/clusters/cluster-01"))


def test_others_see_the_ticket_but_no_place_of_their_own(held: FlaskClient, alice: FlaskClient) -> None:
    alice.post("/ui/holdwhenfree", data=WAITS)
    page = text(held.get("/"))
    assert "hold for alice" in page
    assert "You are number" not in page


def test_the_visitor_cancels(held: FlaskClient, alice: FlaskClient) -> None:
    alice.post("/ui/holdwhenfree", data=WAITS)
    (identity,) = tickets(alice)
    assert f'href="/ui/cancel?request_id={identity}"' in alice.get("/").text
    assert "You lose your place, and no cluster is held" in text(alice.get(f"/ui/cancel?request_id={identity}"))
    alice.post("/ui/cancel", data={"request_id": identity})
    assert tickets(alice) == []
    held.post("/ui/release", data={"cluster": "cluster-01"})
    assert state(alice)["state"] == "vacant"


def test_a_second_request_keeps_the_place_with_the_new_terms(held: FlaskClient, alice: FlaskClient) -> None:
    alice.post("/ui/holdwhenfree", data=WAITS)
    alice.post("/ui/holdwhenfree", data={**WAITS, "desc": "another look"})
    assert len(tickets(alice)) == 1
    held.post("/ui/release", data={"cluster": "cluster-01"})
    assert state(alice)["holdDesc"] == "another look"


def test_a_free_cluster_is_held_immediately(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    done = alice.post("/ui/holdwhenfree", data=WAITS)
    assert "You hold cluster-01 until" in text(follow(alice, done))


def test_any_cluster_of_a_kind_is_waited_for_if_none_is_vacant(held: FlaskClient, alice: FlaskClient) -> None:
    fields = {"purpose": "tess-ci", "duration": "1h"}
    assert alice.post("/ui/holdany", data={**fields, "wait": ""}).status_code == 404
    done = alice.post("/ui/holdany", data={**fields, "wait": "2d"})
    assert "You are number 1 in line for a tess-ci cluster, about" in text(follow(alice, done))
    held.post("/ui/release", data={"cluster": "cluster-01"})
    assert history(alice)[0]["event"] == "held when free"


def test_jobs_and_people_are_counted_apart(held: FlaskClient, alice: FlaskClient, client: FlaskClient) -> None:
    for _ in range(2):
        client.get("/getvacant?build=1&job=e2e")  # the second time is a poll, which gets a place
    alice.post("/ui/holdwhenfree", data=WAITS)
    assert "1 job and 1 person waiting" in text(alice.get("/ui/queue"))


def test_a_person_who_waits_for_days_causes_no_warning(
    held: FlaskClient, alice: FlaskClient, clock: MovableClock
) -> None:
    alice.post("/ui/holdwhenfree", data=WAITS)
    clock.forward(hours=2)
    assert "has waited" not in text(alice.get("/ui/queue"))


def test_a_refused_hold_offers_to_wait_or_another_cluster(held: FlaskClient, alice: FlaskClient) -> None:
    answer = alice.post("/ui/hold", data={"cluster": "cluster-01", "duration": "1h"}, headers=DIALOG)
    assert answer.status_code == 409
    links = re.findall(r'hx-get="(/ui/hold\w+)\?', answer.text)
    assert links == ["/ui/holdwhenfree", "/ui/holdany"]
    for link in re.findall(r'href="(/ui/hold\w+\?[^"]+)"', answer.text):
        assert alice.get(link.replace("&amp;", "&")).status_code == 200


@pytest.mark.parametrize("fields", [{"wait": ""}, {"wait": "20d"}, {"duration": "100h"}])
def test_a_wait_that_is_not_possible_is_refused(held: FlaskClient, alice: FlaskClient, fields: dict[str, str]) -> None:
    answer = alice.post("/ui/holdwhenfree", data={**WAITS, **fields})
    assert answer.status_code in (400, 422)
    assert tickets(alice) == []
