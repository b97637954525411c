"""The health of clusters on the pages: word, reason, last results, and the forms of admins."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from cimaster.common.times import format_time
from tests.conftest import Add
from tests.pages.conftest import WriteRecords, follow, text

SOON = format_time(datetime.now(UTC) + timedelta(hours=1))
FAILURES = "3 failures in a row: e2e #118, #121, #130"


def run(client: FlaskClient, build: str, result: str, job: str = "e2e") -> None:
    """Have a job take cluster-01 and give it back with a result."""
    assert client.get(f"/getvacant?build={build}&job={job}&cluster=cluster-01").status_code == 200
    answer = client.get(f"/finishtest?cluster=cluster-01&job={job}&build={build}&result={result}")
    assert answer.status_code == 200, answer.text


def row(page: str, cluster: str = "cluster-01") -> str:
    """Return the row of a cluster."""
    found = re.search(rf'<tr id="c-(?:(?!</tr>).)*?data-name>{cluster}<.*?</tr>', page, re.DOTALL)
    assert found, f"{cluster} has no row"
    return found[0]


@pytest.fixture
def faulty(add: Add, client: FlaskClient) -> str:
    """A cluster on which three builds have failed, one of three, so that it is quarantined."""
    add("cluster-01", "cluster-02", "cluster-03")
    for build in ("118", "121", "130"):
        run(client, build, "fail")
    return "cluster-01"


def test_a_row_has_the_last_results_oldest_first_and_names_them(add: Add, client: FlaskClient) -> None:
    add("cluster-01")
    for build, result in (("1", "pass"), ("2", "fail"), ("3", "error")):
        run(client, build, result)
    marks = re.findall(r'class="result result-(\w+)" title="(\w+: e2e #\d), 20[\d: -]+ UTC"', client.get("/").text)
    assert marks == [("pass", "pass: e2e #1"), ("fail", "fail: e2e #2"), ("error", "error: e2e #3")]


def test_a_quarantined_cluster_says_why_in_its_row_and_page(faulty: str, client: FlaskClient) -> None:
    shown = row(client.get("/").text)
    assert 'data-state="quarantined"' in shown
    assert f'class="disabled-reason" popover>quarantined: {FAILURES}' in shown
    assert f'<td class="cell-reason"><span class="one-line" title="{FAILURES}">{FAILURES}</span>' in shown
    page = text(client.get(f"/ui/clusters/{faulty}"))
    assert f"Health quarantined: {FAILURES}" in page
    history = page.partition("History")[2]
    assert re.search("quarantined – .* quarantined", history)
    assert "finished fail e2e #130" in history


def test_cards_and_filters_know_both_axes(faulty: str, client: FlaskClient, root: FlaskClient) -> None:
    root.post("/ui/admin/suspect", data={"cluster": "cluster-02", "reason": "slow disks"})
    page = client.get("/").text
    assert 'class="card card-quarantined" href="/?state=quarantined"' in page
    assert "card-checking" not in page
    shown = {"state=quarantined": "cluster-01", "health=suspect": "cluster-02", "health=ok": "cluster-03"}
    for query, name in shown.items():
        filtered = client.get(f"/?{query}").text
        assert re.findall(r"data-name>([\w-]+)<", filtered) == [name], query
    assert "<option selected>suspect</option>" in client.get("/?health=suspect").text


def test_an_admin_quarantines_with_a_reason_and_brings_back(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    refused = root.post("/ui/admin/quarantine", data={"cluster": "cluster-01"})
    assert refused.status_code == 400
    assert "reason is required" in text(refused)
    done = root.post("/ui/admin/quarantine", data={"cluster": "cluster-01", "reason": "disk errors"})
    assert "cluster cluster-01 is quarantined" in text(follow(root, done))
    shown = row(root.get("/").text)
    assert "quarantined by root: disk errors" in shown
    assert 'action="/ui/admin/bringback"' in shown
    back = root.post("/ui/admin/bringback", data={"cluster": "cluster-01"})
    assert "cluster cluster-01 is healthy" in text(follow(root, back))
    assert 'data-state="vacant"' in row(root.get("/").text)


def test_only_admins_change_the_health(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    for verb in ("quarantine", "suspect", "bringback"):
        answer = alice.post(f"/ui/admin/{verb}", data={"cluster": "cluster-01", "reason": "mine"})
        assert answer.status_code == 403, verb
    assert 'data-state="vacant"' in row(alice.get("/").text)


def test_bring_back_on_the_inventory_updates_its_table(faulty: str, root: FlaskClient) -> None:
    assert 'action="/ui/admin/bringback"' in root.get("/ui/admin").text
    where = {"HX-Request": "true", "HX-Target": "div#alerts", "HX-Current-URL": "http://localhost/ui/admin"}
    answer = root.post("/ui/admin/bringback", data={"cluster": faulty}, headers=where)
    assert 'class="cell-region"' in row(answer.text)


@pytest.mark.parametrize(
    ("fields", "words", "waits"),
    [
        ({"checking": "clean", "checkAfter": SOON}, "waiting to be cleaned", True),
        ({"checking": "clean", "checkBy": "replica-1"}, "being cleaned", False),
        ({"checking": "check", "checkBy": "replica-1"}, "being checked", False),
    ],
)
def test_a_checked_cluster_says_how_far_that_is(
    written: WriteRecords, alice: FlaskClient, fields: dict[str, str], words: str, waits: bool
) -> None:
    claim = {"checkUntil": SOON} if "checkBy" in fields else {}
    written({"name": "cluster-01", "status": "finished", **claim, **fields})
    shown = row(alice.get("/").text)
    assert 'data-state="checking"' in shown
    assert f"{words}</span>" in shown
    assert ("pill-waiting" in shown) == waits
    assert 'class="card card-checking"' in alice.get("/").text


def test_a_quarantined_cluster_that_is_also_held_and_disabled_says_so(
    faulty: str, alice: FlaskClient, root: FlaskClient
) -> None:
    alice.post("/ui/hold", data={"cluster": faulty, "duration": "1h", "desc": "a look at it"})
    root.post("/ui/admin/disable", data={"cluster": faulty, "reason": "new disks"})
    shown = row(alice.get("/").text)
    assert "held by alice until" in shown
    assert "also disabled" in shown
    assert 'action="/ui/release"' in shown
