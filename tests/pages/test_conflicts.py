"""A hold that lost against another person or a job: what the page says, and what it offers instead."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Add
from tests.pages.conftest import SignIn, follow, hold, text
from tests.pages.test_hold import DIALOG, state


def button_of(answer: TestResponse, words: str) -> tuple[str, dict[str, str]]:
    """Return the address and the fields of the form with this button."""
    forms = re.findall(r'<form method="post" action="([^"]+)".*?</form>', answer.text, re.DOTALL)
    bodies = re.findall(r'<form method="post" action="[^"]+"(.*?)</form>', answer.text, re.DOTALL)
    address, body = next(pair for pair in zip(forms, bodies, strict=True) if words in pair[1])
    return address, {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', body)}


@pytest.fixture
def lost(add: Add, person: SignIn) -> None:
    """A cluster of purpose perf that bob holds, and a vacant one of another purpose."""
    add("cluster-05", purpose="perf")
    add("cluster-09")
    hold(person("bob"), "cluster-05", desc="mine")


TERMS = {"duration": "1h", "desc": "a <b> & c", "with": "carol", "expect": "vacant"}


@pytest.mark.usefixtures("lost")
@pytest.mark.parametrize("headers", [{}, DIALOG], ids=["page", "dialog"])
def test_the_conflict_offers_another_vacant_cluster(add: Add, alice: FlaskClient, headers: dict[str, str]) -> None:
    add("cluster-06", purpose="perf")
    answer = alice.post("/ui/hold", data={"cluster": "cluster-05", **TERMS}, headers=headers)
    assert answer.status_code == 409
    assert "cluster-05 is no longer free" in text(answer)
    assert "cluster-05 is already held by bob until" in text(answer)
    assert "cluster-06 has the same purpose, perf, and is vacant" in text(answer)
    address, fields = button_of(answer, "Hold cluster-06 instead")
    assert alice.post(address, data=fields, headers=headers).status_code in (200, 303)
    held = state(alice, "cluster-06")
    assert (held["holdBy"], held["holdDesc"], held["holdWith"]) == ("alice", "a <b> & c", ["carol"])
    assert state(alice, "cluster-05")["holdBy"] == "bob"
    assert state(alice, "cluster-09")["state"] == "vacant"


@pytest.mark.usefixtures("lost")
def test_the_conflict_offers_a_place_in_line_if_none_is_vacant(alice: FlaskClient, person: SignIn) -> None:
    for name in ("carol", "dave"):
        person(name).post("/ui/holdany", data={"purpose": "perf", "wait": "1d", "duration": "1h"})
    answer = alice.post("/ui/hold", data={"cluster": "cluster-05", **TERMS, "until": "17:30"})
    assert "No other cluster of purpose perf is vacant" in text(answer)
    address, fields = button_of(answer, "Wait in line (place 3)")
    page = follow(alice, alice.post(address, data=fields))
    assert "You are number 3 in line" in text(page)
    again = alice.post("/ui/hold", data={"cluster": "cluster-05", **TERMS})
    assert "Wait in line (place 3)" in text(again)  # the place that she has already


@pytest.mark.usefixtures("lost")
def test_the_alternative_is_lost_too_if_a_job_takes_it_first(add: Add, alice: FlaskClient) -> None:
    add("cluster-06", purpose="perf")
    address, fields = button_of(alice.post("/ui/hold", data={"cluster": "cluster-05", **TERMS}), "cluster-06 instead")
    alice.get("/getvacant?build=124&job=e2e&purpose=perf")
    answer = alice.post(address, data=fields)
    assert answer.status_code == 409
    assert "cluster-06 is no longer vacant: it is now occupied by e2e #124" in text(answer)
    assert "Wait in line (place 1)" in text(answer)
    assert not state(alice, "cluster-06").get("hold")


@pytest.mark.usefixtures("lost")
def test_a_stale_button_opens_the_form_of_the_other_cluster(add: Add, alice: FlaskClient) -> None:
    add("cluster-06", purpose="perf")
    opened = alice.get("/ui/hold?cluster=cluster-05&expect=vacant")
    assert opened.status_code == 409
    links = {unescape(link) for link in re.findall(r'href="(/ui/hold\w*\?[^"]+)"', opened.text)}
    assert any(link.startswith("/ui/hold?") and "cluster=cluster-06" in link for link in links)
    assert len(links) == 3
    for link in links:
        assert alice.get(link).status_code == 200


@pytest.mark.usefixtures("lost")
def test_a_visitor_without_a_name_keeps_the_one_they_entered(add: Add, client: FlaskClient) -> None:
    add("cluster-06", purpose="perf")
    answer = client.post("/ui/hold", data={"cluster": "cluster-05", "name": "dora", **TERMS})
    address, fields = button_of(answer, "cluster-06 instead")
    client.post(address, data=fields)
    assert state(client, "cluster-06")["holdBy"] == "dora"


def test_a_cluster_that_became_free_can_be_held_now(add: Add, alice: FlaskClient) -> None:
    add("cluster-05")
    answer = hold(alice, "cluster-05", expect="occupied")
    assert answer.status_code == 409
    assert "cluster-05 is no longer occupied: it is now vacant" in text(answer)
    assert 'name="expect" value="vacant"' in answer.text


def test_a_cluster_that_was_disabled_can_be_held_anyway(add: Add, alice: FlaskClient, root: FlaskClient) -> None:
    add("cluster-05")
    root.get("/disablecluster?cluster=cluster-05&name=root&reason=disks")
    answer = hold(alice, "cluster-05", expect="vacant")
    link = re.search(r'href="(/ui/hold\?[^"]+expect=disabled[^"]*)"', answer.text)
    assert link
    assert "Hold it anyway" in text(answer)
    assert alice.get(unescape(link[1])).status_code == 200


@pytest.mark.usefixtures("lost")
def test_an_admin_holds_another_cluster_for_the_same_person(add: Add, root: FlaskClient, alice: FlaskClient) -> None:
    add("cluster-06", purpose="perf")
    fields = {"cluster": "cluster-05", "to": "carol", **TERMS, "with": ""}
    address, sent = button_of(root.post("/ui/admin/holdfor", data=fields), "cluster-06 instead")
    root.post(address, data=sent)
    assert state(alice, "cluster-06")["holdBy"] == "carol"


def test_hold_any_offers_the_place_in_line(add: Add, alice: FlaskClient, person: SignIn) -> None:
    add("cluster-05")
    hold(person("bob"), "cluster-05")
    fields = {"purpose": "tess-ci", "duration": "1h", "desc": "a look", "wait": ""}
    answer = alice.post("/ui/holdany", data=fields, headers=DIALOG)
    assert answer.status_code == 404
    assert "no tess-ci cluster is vacant: 1 held; next: cluster-05 at" in text(answer)
    assert "Wait in line (place 1)" in text(answer)
    assert '<option value="2d" selected>' in answer.text
    waiting = alice.post("/ui/holdany", data={**fields, "wait": "2d", "until": "17:30"}, headers=DIALOG)
    assert "You are number 1 in line" in text(waiting)
