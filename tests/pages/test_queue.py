"""The queue on pages: the panel of the dashboard, and cancelling a ticket."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.errors import Queued, RequestOver
from cimaster.pool import Criteria, Request, WaitTerms
from cimaster.services.clusters import Clusters
from tests.conftest import Add, MovableClock
from tests.pages.conftest import HTMX, SignIn, WriteKey, cookie, follow, line, text

JSON = {"Accept": "application/json"}
CLICK = {**HTMX, "HX-Target": "div#alerts", "HX-Current-URL": "http://localhost/"}
DIALOG = {**CLICK, "HX-Target": "div#dialog-content"}
PANEL = "/ui/fragments/queue"
POLL = "/getvacant?job=poller&build=7&email=erin@example.com"

Waits = Callable[..., str]


@pytest.fixture(autouse=True)
def _none_vacant(add: Add, client: FlaskClient) -> None:
    """A pool of one cluster, which is lent to a job."""
    add("cluster-01")
    client.get("/getvacant?job=e2e&build=1&email=bob@example.com")


@pytest.fixture
def waits(service: Clusters) -> Waits:
    """Add a ticket, connected for an hour: `waits("e2e", "12", by="john", wait=10)`; returns the request's id."""

    def waits(
        job: str = "e2e",
        build: str = "12",
        by: str = "john",
        wait: float = 60,
        priority: str = "normal",
        connected: float = 60,
        **kind: Any,
    ) -> str:
        terms = WaitTerms(timedelta(minutes=wait), priority, timedelta(minutes=connected))
        identity = f"r-{job}-{build}"
        with pytest.raises(Queued):
            service.take_or_wait(Criteria(job, build, by, **kind), terms, Request(identity, "hash", "getvacant"))
        return identity

    return waits


@pytest.fixture
def served(service: Clusters) -> Callable[[str], str]:
    """Repeat the request of a ticket; return the cluster that it gets."""

    def served(identity: str) -> str:
        terms, same = WaitTerms(timedelta(minutes=60)), Request(identity, "hash", "getvacant")
        return service.take_or_wait(Criteria("e2e", "12", "john"), terms, same).answer.text

    return served


def panel(answer: TestResponse) -> str:
    """Return the text of the panel on a page."""
    body = answer.text.partition('<div id="queue"')[2].partition('<div id="creations"')[0]
    words = re.sub(r"<svg.*?</svg>|<[^>]*>", " ", f"<{body}", flags=re.DOTALL)
    return re.sub(r" ([,.:;])", r"\1", " ".join(words.split()))


def waiting(client: FlaskClient) -> list[str]:
    """Return the jobs' builds that the API lists, in order."""
    return [ticket["ask"]["build"] for ticket in client.get("/queue", headers=JSON).get_json()["tickets"]]


def test_with_an_empty_queue_there_is_no_panel(client: FlaskClient) -> None:
    page = client.get("/")
    assert f'<div id="queue" hx-get="{PANEL}"' in page.text
    assert panel(page) == ""
    assert "No jobs are waiting" in text(client.get("/ui/queue"))


def test_it_shows_each_waiter_with_criteria_start_and_end(
    waits: Waits, client: FlaskClient, clock: MovableClock
) -> None:
    waits("e2e", "12", "john", wait=30, region="us-west")
    clock.forward(minutes=14)
    page = client.get("/")
    assert line(page, "queue") == "1 job waiting · for 14 min"
    row = "place 1 e2e #12 by john tess-ci cluster with region us-west joined 14 min ago – leaves the queue in"
    assert row in panel(page)
    assert re.search(r"leaves the queue in 1[56] min Cancel e2e #12 by john", panel(page))
    assert re.search(r'title="20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC" data-since>14 min ago', page.text)
    assert "priority" not in panel(page)
    assert "not connected" not in panel(page)


def test_tickets_are_listed_in_serving_order(waits: Waits, client: FlaskClient) -> None:
    for build, priority in (("1", "low"), ("2", "normal"), ("3", "high")):
        waits(build=build, priority=priority)
    page = panel(client.get("/"))
    assert re.findall(r"place (\d) e2e #(\d)", page) == [("1", "3"), ("2", "2"), ("3", "1")]
    assert re.findall(r"(\w+) priority", page) == ["high", "low"]


def test_the_place_counts_tickets_served_earlier(waits: Waits, client: FlaskClient, clock: MovableClock) -> None:
    waits(build="1", priority="low")
    clock.forward(minutes=5)
    waits(build="2")
    assert line(client.get("/"), "queue") == "2 jobs waiting · longest 5 min"


def test_a_legacy_script_that_polls_is_marked(client: FlaskClient, clock: MovableClock) -> None:
    client.get(POLL)
    client.get(POLL)
    assert "poller #7 by erin tess-ci cluster joined just now – when it stops polling Cancel" in panel(client.get("/"))


def test_a_disconnected_waiter_is_shown_as_disconnected(waits: Waits, client: FlaskClient, clock: MovableClock) -> None:
    waits(connected=0.5)
    assert "not connected" not in panel(client.get("/"))
    tag = client.get(PANEL).headers["HX-PTag"]
    clock.forward(seconds=60)
    changed = client.get(PANEL, headers={**HTMX, "HX-PTag": tag})
    assert "not connected" in panel(changed)


def test_a_long_wait_is_a_warning_that_leads_to_the_occupied_clusters(
    waits: Waits, client: FlaskClient, clock: MovableClock
) -> None:
    waits()
    clock.forward(minutes=29)
    tag = client.get(PANEL).headers["HX-PTag"]
    assert "too small" not in panel(client.get("/"))
    clock.forward(minutes=12)
    page = client.get(PANEL, headers={**HTMX, "HX-PTag": tag})
    assert "The job in place 1 has waited 41 min: the pool is too small, or clusters are stuck" in panel(page)
    assert '<a href="/?state=occupied">Show occupied clusters</a>' in page.text


def test_a_separate_page_shows_those_beyond_the_first_twenty(waits: Waits, client: FlaskClient) -> None:
    identities = [waits(build=str(build)) for build in range(1, 23)]
    page = client.get("/")
    assert line(page, "queue").startswith("22 jobs waiting · longest")
    assert re.findall(r"place \d+ e2e #(\d+)", panel(page)) == [str(build) for build in range(1, 21)]
    assert '<a href="/ui/queue">Show 2 more' in page.text
    everything = client.get("/ui/queue").text
    assert [f"<code>{identity}</code>" in everything for identity in identities] == [True] * 22
    assert f'hx-get="{PANEL}?all=1"' in everything


def test_the_visitors_own_tickets_are_marked_in_any_case(waits: Waits, person: SignIn) -> None:
    waits(build="1", by="john")
    waits(build="2", by="Alice")
    page = person("aLICE").get("/").text.partition('<div id="queue"')[2].partition('<div id="creations"')[0]
    assert page.count('class="btn btn-main"') == page.count(">yours<") == page.count("row-mine") == 1
    assert page.index("e2e #2") < page.index(">yours<")


def test_stored_values_are_shown_as_text(rewritten: WriteKey, waits: Waits, alice: FlaskClient) -> None:
    waits()
    hostile = '</td><script>alert("1")'

    def harmed(stored: str) -> str:
        (ticket,) = json.loads(stored)
        odd = {**ticket, "id": hostile, "s": "7", "p": hostile}
        return json.dumps([{**odd, "ask": dict.fromkeys(("job", "build", "by", "purpose", "region"), hostile)}])

    rewritten("tickets.json", harmed)
    for page in (alice.get("/"), alice.get("/ui/queue")):
        assert page.status_code == 200
        assert "1 job waiting" in text(page)
        assert "1970" not in page.text  # without a known start
        assert "has waited" not in text(page)
        assert "&lt;script&gt;" in page.text
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|hx-on", page.text)


def test_cancel_asks_for_confirmation_with_the_consequences(waits: Waits, alice: FlaskClient) -> None:
    identity = waits()
    assert 'action="/ui/cancel" hx-get="/ui/cancel"' in alice.get("/").text
    form = alice.get(f"/ui/cancel?request_id={identity}")
    assert "Remove from the queue: e2e #12 by john Place 1 in the queue, for tess-ci cluster" in text(form)
    assert "gets no cluster" in text(form)
    assert "Remove from queue Removing… Keep waiting" in text(form)
    fields = form.text.partition('<form id="form"')[2].partition("</form>")[0]
    assert "Remove from queue" in fields
    assert re.findall(r"<(input|select|textarea)(?![^>]*hidden)", fields) == []
    assert waiting(alice) == ["12"]


def test_cancelling_a_script_warns_that_it_may_return(alice: FlaskClient) -> None:
    alice.get(POLL)
    alice.get(POLL)
    (identity,) = (ticket["id"] for ticket in alice.get("/queue", headers=JSON).get_json()["tickets"])
    assert "it may join the queue again, at the end" in text(alice.get(f"/ui/cancel?request_id={identity}"))
    follow(alice, alice.post("/ui/cancel", data={"request_id": identity}))
    assert waiting(alice) == []


def test_cancel_removes_a_ticket_and_says_so(waits: Waits, alice: FlaskClient) -> None:
    identity = waits(build="1")
    waits(build="2")
    answer = alice.post("/ui/cancel", data={"request_id": identity, "back": "/?state=occupied"})
    assert answer.location == "/?state=occupied"
    page = follow(alice, answer)
    assert f"request {identity} is no longer waiting" in text(page)
    assert line(page, "queue").startswith("1 job waiting")
    assert waiting(alice) == ["2"]


@pytest.mark.parametrize(("where", "polled"), [("/", PANEL), ("/ui/queue", f"{PANEL}?all=1")])
def test_the_answer_to_the_dialog_is_the_current_panel(
    waits: Waits, alice: FlaskClient, where: str, polled: str
) -> None:
    gone = waits(build="1")
    waits(build="2")
    answer = alice.post("/ui/cancel", data={"request_id": gone, "back": where}, headers=DIALOG)
    assert answer.status_code == 200
    assert 'hx-target="#queue"' in answer.text
    assert f'hx-get="{polled}"' in answer.text
    assert "e2e #2" in panel(answer)
    assert "e2e #1" not in panel(answer)


def test_a_cancelled_waiter_learns_that_it_was_cancelled(
    waits: Waits, served: Callable[[str], str], alice: FlaskClient
) -> None:
    identity = waits()
    alice.post("/ui/cancel", data={"request_id": identity})
    with pytest.raises(RequestOver):
        served(identity)


def test_a_ticket_served_in_the_meantime_keeps_its_cluster(
    waits: Waits, served: Callable[[str], str], alice: FlaskClient
) -> None:
    identity = waits()
    alice.get("/finishtest?cluster=cluster-01&job=e2e&build=1")
    assert served(identity) == "cluster-01"
    answer = alice.post("/ui/cancel", data={"request_id": identity}, headers=CLICK)
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (409, "not_current")
    assert "is no longer waiting" in text(answer)
    assert "cluster-01 occupied ok e2e #12" in text(alice.get("/"))
    assert alice.get(f"/ui/cancel?request_id={identity}").status_code == 409
    assert "Keep waiting" in text(alice.post("/ui/cancel", data={"request_id": identity}, headers=DIALOG))


def test_a_visitor_without_a_name_is_asked_for_it_first(waits: Waits, client: FlaskClient) -> None:
    identity = waits()
    assert 'name="name"' in client.get(f"/ui/cancel?request_id={identity}").text
    refused = client.post("/ui/cancel", data={"request_id": identity})
    assert (refused.status_code, "name is required" in text(refused)) == (400, True)
    assert waiting(client) == ["12"]
    client.post("/ui/cancel", data={"request_id": identity, "name": "dora"})
    assert waiting(client) == []
    assert cookie(client, "cimaster_name") == "dora"


def test_pages_of_other_sites_may_not_cancel(waits: Waits, alice: FlaskClient) -> None:
    answer = alice.post("/ui/cancel", data={"request_id": waits()}, headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "cross_origin")
    assert waiting(alice) == ["12"]


def test_other_changes_of_the_pool_leave_polls_at_304(waits: Waits, add: Add, alice: FlaskClient) -> None:
    waits(build="1")
    first = alice.get(PANEL, headers=HTMX)
    tag = first.headers["HX-PTag"]
    assert f'hx-ptag="{tag}"' in alice.get("/").text
    add("cluster-02", purpose="gpu-ci")
    waits(build="1", connected=70)
    again = alice.get(PANEL, headers={**HTMX, "HX-PTag": tag})
    assert (again.status_code, again.data) == (304, b"")
    waits(build="2")
    changed = alice.get(PANEL, headers={**HTMX, "HX-PTag": tag})
    assert (changed.status_code, "e2e #2" in changed.text) == (200, True)


@pytest.mark.parametrize("piece", ["clusters", "inventory", "cluster?name=cluster-01"])
def test_a_change_of_the_queue_does_not_redraw_the_clusters(
    waits: Waits, alice: FlaskClient, clock: MovableClock, piece: str
) -> None:
    clock.forward(seconds=301 - clock().timestamp() % 300)  # just after pages were rendered again because of the time
    tag = alice.get(f"/ui/fragments/{piece}", headers=HTMX).headers["HX-PTag"]
    waits()
    assert alice.get(f"/ui/fragments/{piece}", headers={**HTMX, "HX-PTag": tag}).status_code == 304


def test_the_history_shows_how_long_a_job_had_waited(
    waits: Waits, served: Callable[[str], str], alice: FlaskClient, clock: MovableClock
) -> None:
    identity = waits()
    clock.forward(minutes=12, seconds=30)
    alice.get("/finishtest?cluster=cluster-01&job=e2e&build=1")
    served(identity)
    history = text(alice.get("/ui/clusters/cluster-01")).partition("History")[2]
    assert history.count("after waiting") == 1
    assert re.search(r"taken e2e #12 for john vacant → occupied .{1,20} so far after waiting 12 min", history)
