"""The page about the history: filters, older changes, and the same changes as CSV."""

import csv
import io
import json
import re
from html import unescape

from flask.testing import FlaskClient

from tests.conftest import Add, MovableClock
from tests.pages.conftest import WriteKey, text


def link(page: str, words: str) -> str:
    """Return the address of a link."""
    [address] = re.findall(rf'<a [^>]*href="([^"]+)"[^>]*>{words}<', page)
    return unescape(address)


def used(client: FlaskClient, add: Add) -> None:
    """Let a job and a person use clusters."""
    add("cluster-01", "cluster-02")
    client.get("/getvacant?build=7&job=e2e&name=alice&cluster=cluster-01")
    client.get("/finishtest?cluster=cluster-01&job=e2e&build=7&result=fail")
    client.get("/holdcluster?cluster=cluster-02&name=bob&desc=disk+errors")


def test_the_page_shows_changes_of_all_clusters_newest_first(alice: FlaskClient, add: Add) -> None:
    used(alice, add)
    shown = text(alice.get("/ui/history"))
    expected = (
        "held cluster-02 bob vacant → held .* so far disk errors .* "
        "finished fail cluster-01 e2e #7 for alice occupied → vacant .*added cluster-01"
    )
    assert re.search(expected, shown)


def test_the_form_chooses_and_keeps_its_choice(alice: FlaskClient, add: Add) -> None:
    used(alice, add)
    page = alice.get("/ui/history?person=BOB&kind=held&since=1d")
    assert "Older changes" not in page.text
    assert 'value="BOB"' in page.text
    assert "disk errors" in text(page)
    assert "cluster-01" not in text(page)
    assert "No changes are recorded for this choice." in text(alice.get("/ui/history?until=1h"))


def test_the_cluster_page_leads_to_all_changes_of_the_cluster(alice: FlaskClient, add: Add) -> None:
    used(alice, add)
    page = alice.get(link(alice.get("/ui/clusters/cluster-02").text, "All changes"))
    assert "disk errors" in text(page)
    assert "e2e" not in text(page)


def test_older_changes_are_on_further_pages(alice: FlaskClient, add: Add) -> None:
    add("cluster-01")
    for number in range(120):
        alice.get(f"/disablecluster?cluster=cluster-01&name=root&reason=number-{number}")
    first = alice.get("/ui/history?cluster=cluster-01")
    assert "number-119" in first.text
    second = alice.get(link(first.text, "Older changes"))
    assert "number-19 " in text(second)
    assert "number-20" not in second.text
    assert "Older changes" not in second.text
    assert "number-119" in alice.get(link(second.text, "Newest")).text


def test_the_csv_link_gives_the_chosen_changes(alice: FlaskClient, add: Add) -> None:
    used(alice, add)
    answer = alice.get(link(alice.get("/ui/history?cluster=cluster-01").text, "CSV"))
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["event"] for row in rows] == ["finished", "taken", "added"]


def test_a_filter_that_cannot_be_read_is_refused_in_the_page(alice: FlaskClient) -> None:
    page = alice.get("/ui/history?since=yesterday&cluster=cluster-01")
    assert page.status_code == 400
    assert "since is 'yesterday': expected a time such as" in text(page)
    assert 'value="yesterday"' in page.text
    assert alice.get("/ui/history?after=x").status_code == 400


def test_a_span_that_ends_before_it_begins_is_refused_in_the_page(alice: FlaskClient, add: Add) -> None:
    add("cluster-01")
    page = alice.get("/ui/history?since=1d&until=2d")
    assert page.status_code == 400
    assert "since is not before until, so no change can match: exchange them" in text(page)
    assert alice.get("/ui/history?since=2d&until=1d").status_code == 200


def test_the_end_of_a_state_counts_even_if_the_filter_hides_it(
    alice: FlaskClient, add: Add, clock: MovableClock
) -> None:
    add("cluster-01", "cluster-02")
    alice.get("/holdcluster?cluster=cluster-01&name=bob")
    clock.forward(hours=3)
    alice.get("/disablecluster?cluster=cluster-02&name=root&reason=unrelated")
    alice.get("/releasecluster?cluster=cluster-01&name=root&reason=needed")
    clock.forward(hours=1)
    for query in ("kind=held", "person=bob&until=1h", "cluster=cluster-01&kind=held"):
        assert "held cluster-01 bob vacant → held 3 h" in text(alice.get(f"/ui/history?{query}"))
    assert "vacant → disabled 1 h so far unrelated" in text(alice.get("/ui/history?kind=disabled"))


def test_people_and_jobs_are_links_that_keep_the_other_filters(alice: FlaskClient, add: Add) -> None:
    used(alice, add)
    page = alice.get("/ui/history?since=1d&kind=finished").text
    of_job, of_person = link(page, "e2e #7"), link(page, "alice")
    assert of_job == "/ui/history?kind=finished&since=1d&job=e2e"
    assert of_person == "/ui/history?kind=finished&since=1d&person=alice"
    assert "finished" in text(alice.get(of_job))
    assert "cluster-02" not in text(alice.get("/ui/history?job=e2e"))


def test_the_json_link_gives_the_chosen_changes(alice: FlaskClient, add: Add) -> None:
    used(alice, add)
    answer = alice.get(link(alice.get("/ui/history?cluster=cluster-01").text, "JSON"))
    assert [change["event"] for change in answer.get_json()["history"]] == ["finished", "taken", "added"]


def test_an_empty_list_says_what_to_do_next(alice: FlaskClient, add: Add) -> None:
    page = alice.get("/ui/history")
    assert "No changes are recorded yet." in text(page)
    assert link(page.text, "Back to clusters") == "/"
    add("cluster-01")
    page = alice.get("/ui/history?person=mallory")
    assert "Remove a filter, or choose a longer time." in text(page)
    assert "added" in text(alice.get(link(page.text, "Show all changes")))


def test_a_gap_hides_how_long_the_state_before_it_lasted(alice: FlaskClient, rewritten: WriteKey, add: Add) -> None:
    add("cluster-01")
    entries = [
        {"commit": 1, "at": "2026-01-01T00:00:00Z", "cluster": "old", "event": "added", "to": "vacant"},
        {"commit": 2, "at": "2026-01-02T00:00:00Z", "event": "changes missing", "missing": 3},
        {"commit": 3, "at": "2026-01-03T00:00:00Z", "cluster": "old", "event": "held", "from": "vacant", "to": "held"},
    ]
    rewritten("history.json", lambda _: json.dumps(entries))
    shown = text(alice.get("/ui/history"))
    assert "added old – vacant –" in shown
    assert re.search("held old – vacant → held .* so far", shown)
