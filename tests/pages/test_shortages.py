"""Why is nothing vacant? What the dashboard says for each purpose of which no cluster can be lent."""

import re
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient

from cimaster.errors import Queued
from cimaster.pool import Criteria, Request, WaitTerms
from cimaster.services.clusters import Clusters
from tests.conftest import Add, MovableClock
from tests.pages.conftest import HTMX, WriteKey, hold


def let_a_job_wait(service: Clusters) -> None:
    """Add a ticket of a job that is connected for an hour."""
    hour = timedelta(hours=1)
    with pytest.raises(Queued):
        service.take_or_wait(Criteria("e2e", "8"), WaitTerms(hour, "normal", hour), Request("r-8", "h", "getvacant"))


def lines(browser: FlaskClient, query: str = "") -> list[str]:
    """Return the sentences, as a reader sees them."""
    page = browser.get(f"/ui/fragments/shortages{query}").text
    found = re.findall(r'<p class="shortage">(.*?)</p>', page, re.DOTALL)
    return [unescape(" ".join(re.sub("<[^>]*>", "", each).split())) for each in found]


def test_each_purpose_without_a_vacant_cluster_has_a_sentence(
    add: Add, client: FlaskClient, alice: FlaskClient, root: FlaskClient, service: Clusters, clock: MovableClock
) -> None:
    add("cluster-01", "cluster-02", "cluster-03", "cluster-04")
    add("tnet-01", purpose="tnet-ci", osimage="flatcar")
    assert lines(client) == []
    hold(alice, "cluster-01", duration="1h")
    hold(alice, "cluster-02", duration="4h")
    client.get("/getvacant?build=7&job=e2e&cluster=cluster-03")
    root.post("/ui/admin/disable", data={"cluster": "cluster-04", "reason": "a broken switch"})
    clock.forward(minutes=16.5)
    expected = "tess-ci: none of 4 can be lent. 2 held, 1 occupied, 1 disabled. Next: cluster-01 in 43 min (alice)."
    assert lines(client) == [expected]
    let_a_job_wait(service)
    assert lines(client) == [f"{expected} 1 waiting."]


def test_with_a_filter_it_says_that_others_may_be_vacant(add: Add, alice: FlaskClient) -> None:
    add("cluster-01", "cluster-02")
    hold(alice, "cluster-01")
    assert lines(alice) == []
    (line,) = lines(alice, "?q=cluster-01")
    assert line.startswith("tess-ci: none of 1 that match can be lent. 1 held.")


def test_a_policy_says_how_it_stands(add: Add, client: FlaskClient, rewritten: WriteKey) -> None:
    add("cluster-01")
    client.get("/getvacant?build=7&job=e2e&ttl=30m30s")
    rewritten("policies.json", lambda _: '[{"purpose": "tess-ci", "minVacant": 2, "maxTotal": 1, "maxCreating": 1}]')
    (line,) = lines(client)
    assert line.startswith("tess-ci: none of 1 can be lent. 1 occupied. Next: cluster-01 in 30 min (e2e #7).")
    assert line.endswith("Automatic top-up: 0 of 2 vacant.")


def test_a_cluster_that_is_reserved_for_a_waiting_caller_is_not_vacant(
    add: Add, client: FlaskClient, service: Clusters
) -> None:
    add("cluster-01")
    client.get("/getvacant?build=7&job=e2e")
    let_a_job_wait(service)
    client.get("/finishtest?cluster=cluster-01")
    assert lines(client) == [
        "tess-ci: none of 1 can be lent. 1 vacant, but kept for waiting callers. No end time is known. 1 waiting."
    ]


@pytest.mark.parametrize(
    ("query", "purposes"),
    [
        ("", ["tess-ci", "tnet-ci"]),
        ("?purpose=tnet-ci", ["tnet-ci"]),
        ("?state=disabled", ["tess-ci", "tnet-ci"]),
        ("?region=eu", []),
        ("?q=tnet", ["tnet-ci"]),
        ("?holder=alice", []),
    ],
)
def test_they_follow_the_filter_apart_from_its_state(
    add: Add, alice: FlaskClient, query: str, purposes: list[str]
) -> None:
    add("cluster-01")
    add("tnet-01", purpose="tnet-ci", osimage="flatcar")
    for name in ("cluster-01", "tnet-01"):
        hold(alice, name)
    assert [line.partition(":")[0] for line in lines(alice, query)] == purposes


def test_each_number_leads_to_its_clusters(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    page = alice.get("/?region=us-west&sort=name").text
    link = re.search(r'<a href="([^"]*)">1 held</a>', page)
    assert link
    shown = alice.get(unescape(link[1])).text
    assert len(re.findall(r'<tr id="c-', shown)) == 1
    assert set(unescape(link[1])[2:].split("&")) == {"region=us-west", "sort=name", "purpose=tess-ci", "state=held"}


def test_a_poll_is_304_until_something_changes(add: Add, alice: FlaskClient, clock: MovableClock) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    first = alice.get("/ui/fragments/shortages", headers=HTMX)
    headers = {**HTMX, "HX-PTag": first.headers["HX-PTag"]}
    clock.forward(minutes=5)
    assert alice.get("/ui/fragments/shortages", headers=headers).status_code == 304
    alice.post("/ui/release", data={"cluster": "cluster-01"})
    changed = alice.get("/ui/fragments/shortages", headers=headers)
    assert changed.status_code == 200
    assert "can be lent" not in changed.text
