"""Holds that are shared, made for another person, or of any vacant cluster."""

import pytest
from flask.testing import FlaskClient

from tests.conftest import Add, MovableClock
from tests.pages.conftest import HTMX, SignIn, follow, hold, text
from tests.pages.test_hold import history, state


@pytest.fixture
def carol(person: SignIn) -> FlaskClient:
    """A person without the admin role."""
    return person("carol")


def share(browser: FlaskClient, people: str) -> int:
    """Send the form of a shared hold, and return the status of the answer."""
    return browser.post("/ui/share", data={"cluster": "cluster-01", "with": people}).status_code


def test_a_shared_hold_is_extended_and_released_by_others(add: Add, alice: FlaskClient, carol: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", **{"with": "carol, Dave"})
    page = carol.get("/")
    assert "cluster-01 shared with you" in text(page)
    assert "shared with carol, Dave" in text(page)
    assert 'action="/ui/extend"' in page.text
    assert carol.post("/ui/extend", data={"cluster": "cluster-01", "until": "8h"}).status_code == 303
    released = carol.post("/ui/release", data={"cluster": "cluster-01"})
    assert "cluster cluster-01 is released" in text(follow(carol, released))
    assert history(alice)[0] | {"event": "released", "by": "carol", "holder": "alice"} == history(alice)[0]


def test_the_holder_edits_the_list_and_empties_it(add: Add, alice: FlaskClient, carol: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", **{"with": "carol"})
    assert 'name="with" value="carol"' in alice.get("/ui/share?cluster=cluster-01").text
    assert share(alice, "dave, alice, carol") == 303
    assert state(alice)["holdWith"] == ["dave", "carol"]
    assert share(alice, "") == 303
    assert "holdWith" not in state(alice)
    assert [entry["reason"] for entry in history(alice)[:2]] == ["shared with no one", "shared with dave, carol"]
    assert "Release cluster-01 held by alice" in text(carol.get("/"))


def test_only_the_holder_shares_and_only_while_it_is_held(add: Add, alice: FlaskClient, carol: FlaskClient) -> None:
    add("cluster-01")
    assert share(alice, "carol") == 409
    hold(alice, "cluster-01", **{"with": "carol"})
    assert share(carol, "carol,dave") == 403
    assert state(alice)["holdWith"] == ["carol"]


def test_an_unchanged_list_writes_nothing(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", **{"with": "carol"})
    before = len(history(alice))
    assert share(alice, "carol") == 303
    assert len(history(alice)) == before


def test_an_admin_holds_for_another_person(add: Add, root: FlaskClient, alice: FlaskClient, carol: FlaskClient) -> None:
    add("cluster-01")
    fields = {"cluster": "cluster-01", "duration": "1h", "to": "carol", "desc": "for the demo"}
    assert alice.post("/ui/admin/holdfor", data=fields).status_code == 403
    assert root.post("/ui/admin/holdfor", data={**fields, "to": ""}).status_code == 400
    done = root.post("/ui/admin/holdfor", data=fields)
    assert "cluster cluster-01 is held by carol until" in text(follow(root, done))
    newest = text(carol.get("/ui/clusters/cluster-01")).partition("History")[2].partition("added")[0]
    assert "held root" in newest
    assert "for carol: for the demo" in newest
    assert "cluster-01 yours" in text(carol.get("/"))


def test_any_vacant_cluster_of_a_kind_is_held(add: Add, alice: FlaskClient, clock: MovableClock) -> None:
    add("cluster-01")
    add("cluster-02", purpose="perf", label="gpu=yes")
    assert 'href="/ui/holdany?purpose=perf"' in alice.get("/?purpose=perf").text
    assert 'name="purpose" value="perf"' in alice.get("/ui/holdany?purpose=perf").text
    fields = {"purpose": "perf", "labels": "gpu=yes", "duration": "1h", "desc": "a benchmark"}
    done = alice.post("/ui/holdany", data=fields)
    assert "You hold cluster-02 until" in text(follow(alice, done))
    assert state(alice, "cluster-02")["holdDesc"] == "a benchmark"


def test_with_none_vacant_the_form_says_why(add: Add, alice: FlaskClient, carol: FlaskClient) -> None:
    add("cluster-01")
    hold(carol, "cluster-01")
    target = {**HTMX, "HX-Target": "div#dialog-content"}
    answer = alice.post("/ui/holdany", data={"purpose": "tess-ci", "duration": "1h"}, headers=target)
    assert answer.status_code == 404
    assert "1 held" in text(answer)
