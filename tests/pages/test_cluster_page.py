"""The page of one cluster: its facts, and its previous users."""

import hashlib
import json
from html import unescape

import pytest
from flask.testing import FlaskClient

from cimaster.services.clusters import Clusters
from tests.conftest import Add, MovableClock
from tests.pages.conftest import HTMX, WriteRecords, hold, text


def test_it_shows_all_facts(add: Add, alice: FlaskClient) -> None:
    add("cluster-01", osimage="flatcar", note="slow disks", label="gpu=yes")
    page = text(alice.get("/ui/clusters/cluster-01"))
    assert "Purpose tess-ci Region us-west OS image flatcar Labels gpu=yes Note slow disks" in page


def test_it_shows_the_previous_users_and_how_long_they_had_it(
    add: Add, alice: FlaskClient, clock: MovableClock
) -> None:
    add("cluster-01")
    alice.get("/getvacant?build=124&job=e2e&email=john@example.com")
    clock.forward(hours=2, minutes=5)
    alice.get("/finishtest?cluster=cluster-01&job=e2e&build=124")
    clock.forward(minutes=10)
    hold(alice, "cluster-01", desc="my turn")
    page = text(alice.get("/ui/clusters/cluster-01"))
    assert "Previous use e2e #124 for john, for 2 h 5 min, ended 10 min ago" in page
    history = page.partition("History")[2]
    events = [history.index(event) for event in ("held alice", "finished e2e #124", "taken e2e #124", "added")]
    assert events == sorted(events)
    assert "my turn" in history


def test_a_hold_ended_by_another_person_was_the_holders(
    add: Add, alice: FlaskClient, root: FlaskClient, clock: MovableClock
) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", desc="looking")
    clock.forward(minutes=30)
    root.post("/ui/release", data={"cluster": "cluster-01", "reason": "urgent"})
    page = text(alice.get("/ui/clusters/cluster-01"))
    assert "Previous use alice: looking, for 30 min" in page
    assert "released root" in page
    assert "alice's hold: urgent" in page


def test_a_hold_that_expired_is_shown(add: Add, alice: FlaskClient, clock: MovableClock, service: Clusters) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="1h")
    clock.forward(hours=2)
    service.expire()
    page = text(alice.get("/ui/clusters/cluster-01"))
    assert "hold ended" in page
    assert "its time was over" in page


def test_a_hold_after_a_failure_is_the_persons_and_names_the_job(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    alice.get("/getvacant?build=124&job=e2e&name=john&hold_on_failure=2h")
    alice.get("/finishtest?cluster=cluster-01&job=e2e&build=124&result=fail")
    alice.get("/releasecluster?cluster=cluster-01&name=john")
    page = text(alice.get("/ui/clusters/cluster-01"))
    assert "Previous use john: e2e #124 failed" in page
    history = page.partition("History")[2]
    assert "finished fail e2e #124 for john" in history
    assert "held john vacant → held" in history


def test_a_change_by_another_person_names_the_holder(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    alice.get("/holdcluster?cluster=cluster-01&name=alice&with=carol")
    alice.get("/holdcluster?cluster=cluster-01&name=carol&duration=9h")
    history = text(alice.get("/ui/clusters/cluster-01")).partition("History")[2]
    assert "hold extended carol" in history
    assert "alice's hold" in history


def test_forbidden_actions_are_disabled_with_the_reason(add: Add, alice: FlaskClient, root: FlaskClient) -> None:
    add("cluster-01")
    page = alice.get("/ui/clusters/cluster-01")
    for label in ("Hold for someone else…", "Quarantine…", "Mark as suspect…", "Edit", "Disable", "Delete"):
        assert f"{label} cluster-01 only admins can do this" in text(page)
    assert 'aria-disabled="true"' not in root.get("/ui/clusters/cluster-01").text


def test_an_unknown_cluster_is_404(client: FlaskClient) -> None:
    answer = client.get("/ui/clusters/gone")
    assert answer.status_code == 404
    assert "cluster gone is not known" in text(answer)


def test_a_deleted_cluster_keeps_its_history_for_a_while(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    root.post("/deletecluster", data={"cluster": "cluster-01", "name": "root", "reason": "gone for good"})
    answer = root.get("/ui/clusters/cluster-01")
    assert answer.status_code == 404
    assert "cluster-01 is no longer in the pool" in text(answer)
    assert "deleted root" in text(answer)


@pytest.mark.parametrize(
    "name", ["a/b", "a//b", "../x", "/", ".", "..", " x ", "100%", "#3", "?q=", "ünï", "<b>", "a\\b"]
)
def test_a_cluster_of_any_name_has_a_page(written: WriteRecords, alice: FlaskClient, name: str) -> None:
    written({"name": name, "status": "finished", "region": "found-it"})
    row = alice.get("/").text.partition('<th scope="row"')[2]
    link = row.partition('<a href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "found-it" in text(alice.get(link))
    live = alice.get(link).text.partition('<div id="cluster" hx-get="')[2].partition('"')[0]
    assert "found-it" in text(alice.get(live, headers=HTMX))


def test_a_broken_record_has_a_page_with_what_is_stored(written: WriteRecords, root: FlaskClient) -> None:
    written({"name": "odd", "status": "<busy>"})
    digest = hashlib.sha256(b'{"name": "odd", "status": "<busy>"}').hexdigest()[:8]
    assert root.get("/ui/clusters/%230").status_code == 404
    for url in ("/ui/clusters/odd", f"/ui/clusters/%230.{digest}"):
        page = text(root.get(url))
        assert "'status' is neither 'finished' nor 'testing'" in page
        assert '{"name": "odd", "status": "<busy>"}' in page


def test_it_shows_the_record_as_the_api_gives_it(add: Add, alice: FlaskClient) -> None:
    add("cluster-01", note="</pre><b>")
    hold(alice, "cluster-01", desc="a look")
    page = alice.get("/ui/clusters/cluster-01").text
    shown = unescape(page.partition('<pre id="record"')[2].partition(">")[2].partition("</pre>")[0])
    given = alice.get("/clusters/cluster-01", headers={"Accept": "application/json"}).get_json()
    assert json.loads(shown) == given
    assert given["note"] == "</pre><b>"
    assert "<b>" not in page


def test_an_extension_does_not_end_the_state_that_it_extends(add: Add, alice: FlaskClient, clock: MovableClock) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    clock.forward(hours=1)
    alice.get("/holdcluster?cluster=cluster-01&name=alice&duration=8h")
    clock.forward(hours=2)
    alice.get("/releasecluster?cluster=cluster-01&name=alice")
    clock.forward(minutes=5)
    history = text(alice.get("/ui/clusters/cluster-01")).partition("Lasted")[2]
    assert "held → vacant 5 min so far" in history
    assert "hold extended alice held –" in history
    assert "held alice vacant → held 3 h" in history
