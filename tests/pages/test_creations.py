"""Creations on pages: how each state is shown on the dashboard, and requesting, retrying and dismissing them."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.common.times import format_time
from cimaster.provisioners import KINDS, Provisioner
from cimaster.provisioners.manual_trigger import Settings as Prow
from tests.conditions import until
from tests.conftest import ADMIN, Add, MovableClock
from tests.pages.conftest import HTMX, WriteKey, cookie, follow, line, text
from tests.provisioners.trigger import Answer, ScriptedTrigger, begun, said

JSON = {"Accept": "application/json"}
CLICK = {**HTMX, "HX-Target": "div#alerts", "HX-Current-URL": "http://localhost/"}
DIALOG = {**CLICK, "HX-Target": "div#dialog-content"}
PANEL = "/ui/fragments/creations"
DOWN, REFUSED = said(503, message="Prow is away"), said(400, message="there is no such <job>")


@pytest.fixture
def answers() -> list[Answer]:
    """The next answers of the trigger; when there are none, it starts a job."""
    return []


@pytest.fixture
def trigger(answers: list[Answer]) -> Iterator[ScriptedTrigger]:
    """A server that starts jobs, which run until the end of the test."""

    def script(_path: str, body: dict[str, Any]) -> Answer:
        if not body:
            return said(200, state="pending", complete=False)
        return answers.pop(0) if answers else begun(f"job-{body['request_id']}", log_link="https://prow/log")

    with ScriptedTrigger(script) as running:
        yield running


@pytest.fixture
def provisioner(trigger: ScriptedTrigger) -> Provisioner:
    """A provisioner that uses that server."""
    return Provisioner("manual-trigger", KINDS["manual-trigger"], Prow(url=trigger.url))


@pytest.fixture
def request_cluster(client: FlaskClient) -> Callable[..., str]:
    """Request a cluster by curl; return the id of its creation once that has this state."""

    def request_cluster(state: str, **more: str) -> str:
        client.post("/createcluster", data={"user": "john", "job": "build-it", **more})
        until(lambda: creations(client)[0]["state"] == state)
        return str(creations(client)[0]["id"])

    return request_cluster


def creations(client: FlaskClient) -> list[dict[str, Any]]:
    """Return what the API lists, newest first."""
    found: list[dict[str, Any]] = client.get("/creations", headers=JSON).get_json()["creations"]
    return found


def panel(answer: TestResponse) -> str:
    """Return the text of the panel on a page."""
    body = answer.text.partition('<div id="creations"')[2].partition('<form id="filter"')[0]
    words = re.sub(r"<svg.*?</svg>|<[^>]*>", " ", f"<{body}", flags=re.DOTALL)
    return re.sub(r" ([,.:;])", r"\1", " ".join(words.split()))


def add_for(client: FlaskClient, creation: str, cluster: str = "cluster-31") -> None:
    """Add the cluster that a creation made."""
    fields = {"cluster": cluster, "region": "us-west", "name": ADMIN, "creation": creation}
    assert client.post("/addcluster", data=fields).status_code == 200


def create(browser: FlaskClient, headers: dict[str, str] | None = None, **fields: str) -> TestResponse:
    """Send the form."""
    return browser.post("/ui/create", data={"job": "build-it", "back": "/", **fields}, headers=headers or {})


def test_without_creations_there_is_no_panel(client: FlaskClient) -> None:
    page = client.get("/").text
    assert 'id="creations"' in page
    assert "Being created" not in page


def test_a_running_creation_is_shown_with_its_job_links_and_deadline(
    request_cluster: Callable[..., str], alice: FlaskClient
) -> None:
    request_cluster("running", branch="release-1.32")
    page = alice.get("/")
    assert "tess-ci for john running job job-c-" in panel(page)
    assert re.search(r"build-it release-1.32 just now (2 h|1 h 59 min) Dismiss", panel(page))
    assert "Dismiss tess-ci for john this creation is in progress" in panel(page)
    assert re.search(r'<a href="https://prow/log" target="_blank" rel="noopener">', page.text)
    assert 'href="https://prow/prowjob?prowjob=job-c-' in page.text


def test_a_waiting_creation_shows_the_reason_and_the_next_try(answers: list[Answer], alice: FlaskClient) -> None:
    answers += [DOWN] * 20
    create(alice)
    line, pages = "waiting to start: manual-trigger answered 503: Prow is away; next try in", list[TestResponse]()

    def shows_line() -> bool:
        pages.append(alice.get("/"))
        return line in panel(pages[-1])

    until(shows_line)
    assert "data-soon" in pages[-1].text


def test_a_failed_creation_shows_the_reason_until_it_is_dismissed(
    request_cluster: Callable[..., str], answers: list[Answer], alice: FlaskClient, clock: MovableClock
) -> None:
    answers += [REFUSED]
    request_cluster("failed")
    clock.forward(days=2)
    page = alice.get("/")
    assert "tess-ci for john failed manual-trigger answered 400: there is no such &lt;job&gt;" in panel(page)
    assert "2 d ago – Retry Retrying… tess-ci for john Dismiss" in panel(page)
    follow(alice, alice.post("/ui/dismiss", data={"dismiss": creations(alice)[0]["id"]}))
    assert "failed" not in panel(alice.get("/"))


def test_a_ready_creation_links_to_its_cluster_for_half_an_hour(
    request_cluster: Callable[..., str], client: FlaskClient, alice: FlaskClient, clock: MovableClock
) -> None:
    add_for(client, request_cluster("running"))
    page = alice.get("/")
    assert "tess-ci for john ready cluster cluster-31 was added" in panel(page)
    assert '<a href="/ui/clusters/cluster-31">cluster-31</a> was added' in page.text
    clock.forward(minutes=31)
    assert "is there" not in panel(alice.get("/"))


def test_a_ready_creation_has_no_link_to_a_deleted_cluster(
    request_cluster: Callable[..., str], client: FlaskClient, alice: FlaskClient
) -> None:
    add_for(client, request_cluster("running"))
    client.post("/deletecluster", data={"cluster": "cluster-31", "name": ADMIN})
    assert "cluster cluster-31 was added" in panel(alice.get("/"))
    assert 'href="/ui/clusters/cluster-31"' not in alice.get("/").text


def test_a_creation_that_timed_out_says_that_its_job_still_runs(
    request_cluster: Callable[..., str], alice: FlaskClient, clock: MovableClock
) -> None:
    request_cluster("running")
    clock.forward(hours=2, minutes=1)
    until(lambda: creations(alice)[0]["state"] == "failed")
    page = panel(alice.get("/"))
    assert "failed its job is still running no cluster was ready within 2 h" in page
    assert "Retry tess-ci for john its job is still running" in page


def test_stored_values_are_shown_as_text(rewritten: WriteKey, alice: FlaskClient, root: FlaskClient) -> None:
    hostile = dict.fromkeys(("id", "purpose", "user", "branch", "job", "reason"), '</td><script>alert("1")')
    rewritten("creations.json", lambda _: json.dumps([{**hostile, "state": "failed"}]))
    rewritten("policies.json", lambda _: json.dumps([{"purpose": "<script>", "minVacant": 1, "maxTotal": 1}]))
    for page in (alice.get("/"), root.get("/ui/creations"), root.get("/ui/admin")):
        assert page.status_code == 200
        assert "&lt;script&gt;" in page.text
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|hx-on", page.text)


def test_repeated_failures_of_a_policy_hide_nothing_else(rewritten: WriteKey, alice: FlaskClient) -> None:
    failed = {"state": "failed", "user": "cimaster", "policy": True, "failedAt": format_time(datetime.now(UTC))}
    by_policy = [{**failed, "id": f"c-{number}", "purpose": "odd", "reason": f"no {number}"} for number in range(24)]
    mine = {"id": "c-mine", "state": "failed", "purpose": "mine", "user": "alice", "reason": "mine too"}
    rewritten("creations.json", lambda _: json.dumps([mine, *by_policy], indent=1))
    page = panel(alice.get("/"))
    assert line(alice.get("/"), "creations") == "25 failed"
    assert page.index("no 23") < page.index("mine too") < page.index("no 22")
    assert "Show 5 more" in page


def test_a_link_that_is_no_url_is_not_shown(
    request_cluster: Callable[..., str], alice: FlaskClient, rewritten: WriteKey
) -> None:
    request_cluster("running")
    rewritten("creations.json", lambda text: text.replace("https://prow/log", "javascript:alert(1)"))
    page = alice.get("/").text
    assert "prow/prowjob" in page
    assert "javascript:" not in page


def test_a_separate_page_shows_those_beyond_the_first_twenty(
    rewritten: WriteKey, request_cluster: Callable[..., str], alice: FlaskClient
) -> None:
    request_cluster("running")
    made = [f"c-{number}" for number in range(22)]
    rewritten("creations.json", lambda text: json.dumps([{**json.loads(text)[0], "id": each} for each in made]))
    assert panel(alice.get("/")).count("running") == 20
    assert line(alice.get("/"), "creations") == "22 being created"
    assert "Show 2 more" in panel(alice.get("/"))
    page = alice.get("/ui/creations").text
    assert [f"<code>{identity}</code>" in page for identity in made] == [True] * 22
    assert 'hx-get="/ui/fragments/creations?all=1"' in page


def test_retry_starts_the_creation_again_and_says_so(
    request_cluster: Callable[..., str], answers: list[Answer], alice: FlaskClient
) -> None:
    answers += [REFUSED]
    identity = request_cluster("failed")
    page = follow(alice, alice.post("/ui/retry", data={"retry": identity, "back": "/?state=held"}))
    assert f"creation {identity} is requested again" in text(page)
    until(lambda: "running job job-" in panel(alice.get("/")))
    assert creations(alice)[0]["retriedBy"] == "alice"
    assert ", retried by alice" in panel(alice.get("/"))


@pytest.mark.parametrize("verb", ["retry", "dismiss"])
def test_the_answer_to_a_click_is_the_current_panel(
    request_cluster: Callable[..., str], answers: list[Answer], alice: FlaskClient, verb: str
) -> None:
    answers += [REFUSED, DOWN]
    identity = request_cluster("failed")
    answer = alice.post(f"/ui/{verb}", data={verb: identity}, headers=CLICK)
    assert answer.status_code == 200
    assert 'hx-target="#creations"' in answer.text
    assert ("requested" in answer.text) is (verb == "retry")
    assert "failed" not in panel(answer)


def test_an_impossible_action_is_refused_with_the_reason(
    request_cluster: Callable[..., str], alice: FlaskClient
) -> None:
    identity = request_cluster("running")
    answer = alice.post("/ui/dismiss", data={"dismiss": identity}, headers=CLICK)
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (409, "creation_not_so")
    assert f"creation {identity} is being carried out" in text(answer)
    assert alice.post("/ui/retry", data={"retry": identity}).status_code == 409
    assert alice.post("/ui/retry", data={"retry": "c-0"}).status_code == 404
    assert alice.get("/ui/retry?retry=c-0").status_code == 404


def test_a_visitor_without_a_name_is_asked_for_it_first(
    request_cluster: Callable[..., str], answers: list[Answer], client: FlaskClient
) -> None:
    answers += [REFUSED]
    identity = request_cluster("failed")
    assert 'action="/ui/retry" hx-get="/ui/retry"' in client.get("/").text
    form = client.get(f"/ui/retry?retry={identity}")
    assert "Retry: tess-ci for john" in text(form)
    assert 'name="name"' in form.text
    refused = client.post("/ui/retry", data={"retry": identity})
    assert (refused.status_code, "name is required" in text(refused)) == (400, True)
    client.post("/ui/retry", data={"retry": identity, "name": "dora"})
    assert creations(client)[0]["retriedBy"] == "dora"


@pytest.mark.parametrize("path", ["create", "retry", "dismiss"])
def test_pages_of_other_sites_may_not_send_it(
    request_cluster: Callable[..., str], answers: list[Answer], alice: FlaskClient, path: str
) -> None:
    answers += [REFUSED]
    identity = request_cluster("failed")
    before = creations(alice)
    fields = {path: identity, "job": "build-it", "purpose": "other"}
    answer = alice.post(f"/ui/{path}", data=fields, headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "cross_origin")
    assert creations(alice) == before


def test_other_changes_of_the_pool_leave_polls_at_304(
    request_cluster: Callable[..., str], add: Add, alice: FlaskClient
) -> None:
    add("cluster-01")
    request_cluster("running")
    first = alice.get(PANEL, headers=HTMX)
    tag = first.headers["HX-PTag"]
    assert f'hx-ptag="{tag}"' in alice.get("/").text
    alice.get("/getvacant?build=1&job=e2e")
    again = alice.get(PANEL, headers={**HTMX, "HX-PTag": tag})
    assert (again.status_code, again.data) == (304, b"")
    request_cluster("running", user="bob")
    changed = alice.get(PANEL, headers={**HTMX, "HX-PTag": tag})
    assert (changed.status_code, "for bob" in changed.text) == (200, True)


def test_time_alone_changes_the_panel_only_if_it_looks_different(
    request_cluster: Callable[..., str], client: FlaskClient, clock: MovableClock
) -> None:
    add_for(client, request_cluster("running"))
    tag = client.get(PANEL).headers["HX-PTag"]
    clock.forward(minutes=29)
    assert client.get(PANEL, headers={"HX-PTag": tag}).status_code == 304
    clock.forward(minutes=2)
    assert client.get(PANEL, headers={"HX-PTag": tag}).status_code == 200


def test_the_form_has_the_defaults(add: Add, alice: FlaskClient) -> None:
    add("cluster-01", purpose="gpu-ci")
    assert 'href="/ui/create"' in alice.get("/").text
    form = alice.get("/ui/create").text
    assert 'name="purpose" value="tess-ci"' in form
    assert '<option value="gpu-ci"></option><option value="tess-ci"></option>' in form
    assert 'name="branch" value="master"' in form
    assert re.search(r'name="job" value=""[^>]* required', form)
    assert 'name="name"' not in form


def test_a_creation_starts_immediately_and_the_panel_shows_the_rest(
    alice: FlaskClient, trigger: ScriptedTrigger
) -> None:
    answer = create(alice, purpose="gpu-ci", branch="release-1.32", back="/?state=vacant")
    assert answer.location == "/?state=vacant"
    page = follow(alice, answer)
    assert "Requested a cluster for gpu-ci" in text(page)
    assert "gpu-ci for alice" in panel(page)
    until(lambda: "running" in panel(alice.get("/")))
    body = trigger.requests[0][1]
    assert (body["user"], body["prowjob"], body["base_ref"]) == ("alice", "build-it", "release-1.32")


def test_the_answer_to_the_dialog_is_the_panel_with_the_new_creation(alice: FlaskClient) -> None:
    answer = create(alice, DIALOG)
    assert answer.status_code == 200
    assert 'hx-target="#creations"' in answer.text
    assert "tess-ci for alice" in panel(answer)


def test_a_second_request_must_be_confirmed(alice: FlaskClient) -> None:
    create(alice, branch="b1")
    again = create(alice, branch="b1", purpose="tess-ci")
    assert again.status_code == 409
    assert "a cluster like this is already being created for alice" in text(again)
    assert "Create another one anyway" in text(again)
    assert 'value="b1"' in again.text
    assert len(creations(alice)) == 1
    follow(alice, create(alice, branch="b1", force="true"))
    assert len(creations(alice)) == 2


@pytest.mark.parametrize(
    ("fields", "said_"),
    [
        ({"job": ""}, "job is required: name the job that creates a cluster"),
        ({"job": "a b"}, "job is 'a b': expected the name of a job"),
        ({"branch": "../x"}, "branch is '../x'"),
        ({"purpose": "<b>"}, "purpose is '<b>'"),
    ],
)
def test_a_refused_request_can_be_corrected(alice: FlaskClient, fields: dict[str, str], said_: str) -> None:
    changed: dict[str, Any] = {"branch": "kept", **fields}
    answer = create(alice, **changed)
    assert answer.status_code == 400
    assert said_ in text(answer)
    name = next(iter(fields))
    assert re.search(rf'id="form-{name}"[^>]*aria-describedby="form-alert[^>]*aria-invalid="true"', answer.text)
    assert name == "branch" or 'value="kept"' in answer.text
    assert creations(alice) == []


def test_an_unknown_visitor_gives_a_name_with_the_request(client: FlaskClient) -> None:
    assert 'name="name"' in client.get("/ui/create").text
    assert "name is required" in text(create(client))
    create(client, name="dora")
    assert creations(client)[0]["user"] == "dora"
    assert cookie(client, "cimaster_name") == "dora"


class TestWithoutAProvisioner:
    """No provisioner is configured."""

    @pytest.fixture
    def provisioner(self) -> None:
        """No provisioner."""
        return

    def test_the_button_is_disabled_with_the_reason(self, alice: FlaskClient) -> None:
        page = alice.get("/")
        assert 'href="/ui/create"' not in page.text
        assert "Create… no provisioner is configured" in text(page)
        assert "an operator must set CIMASTER_PROW_URL or CIMASTER_PROVISIONER" in text(page)

    def test_the_form_says_so(self, alice: FlaskClient) -> None:
        assert alice.get("/ui/create").status_code == 501
        answer = create(alice)
        assert answer.status_code == 501
        assert "no provisioner is configured" in text(answer)
