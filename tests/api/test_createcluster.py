"""Creating a cluster: once per request, answered when the creation has started, and never lost."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.app import create_app
from cimaster.provisioners import KINDS, Provisioner
from cimaster.provisioners.manual_trigger import Settings as Prow
from cimaster.repository.stores.port import Store
from cimaster.settings import Settings
from cimaster.web.components import components_of
from tests.conditions import until
from tests.conftest import Add, MovableClock
from tests.provisioners.trigger import Answer, ScriptedTrigger, begun, said

JSON = {"Accept": "application/json"}
JOB_NAME = "609e2b4e-326e-435d-af60-903000c646f7"


class Script:
    """The answers of the trigger: `answer` to a POST, `status` to a GET; tests replace them."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], Answer | None] = lambda body: begun(body["request_id"])
        self.status: Callable[[], Answer] = lambda: said(200, success=True, state="pending", complete=False)

    def __call__(self, _path: str, body: dict[str, Any]) -> Answer | None:
        return self.answer(body) if body else self.status()


@pytest.fixture
def script() -> Script:
    """A trigger that starts every job."""
    return Script()


@pytest.fixture
def trigger(script: Script) -> Iterator[ScriptedTrigger]:
    """The trigger's server."""
    with ScriptedTrigger(script) as running:
        yield running


@pytest.fixture
def provisioner(trigger: ScriptedTrigger) -> Provisioner:
    """A provisioner that uses that server."""
    return Provisioner("manual-trigger", KINDS["manual-trigger"], Prow(url=trigger.url))


@pytest.fixture
def second(settings: Settings, another_store: Store, provisioner: Provisioner) -> Iterator[FlaskClient]:
    """Another replica over the same store."""
    app = create_app(settings, another_store, provisioner=provisioner)
    components_of(app).lifecycle.start()
    yield app.test_client()
    components_of(app).lifecycle.stop()


def create(client: FlaskClient, **more: str) -> TestResponse:
    """Request a cluster as john."""
    return client.get("/createcluster", query_string={"user": "john", "job": "e2e", **more})


def creations(client: FlaskClient, **more: str) -> list[dict[str, Any]]:
    """Return the listed creations."""
    found: list[dict[str, Any]] = client.get("/creations", query_string=more, headers=JSON).get_json()["creations"]
    return found


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.headers["CIMaster-Code"]


def test_the_answer_has_the_promised_sentence_the_job_and_its_links(
    client: FlaskClient, trigger: ScriptedTrigger
) -> None:
    answer = create(client, branch="release-1.32")
    assert answer.status_code == 200
    words, brace, details = answer.text.partition("{")
    assert words == "cluster creation triggered successfully: "
    (creation,) = creations(client)
    assert json.loads(brace + details) == {
        "success": True,
        "message": "ProwJob created successfully",
        "job_name": creation["jobName"],
        "log_link": "",
        "status_link": creation["statusLink"],
    }
    assert (creation["state"], creation["user"], creation["purpose"]) == ("running", "john", "tess-ci")
    ((_, body),) = trigger.requests
    assert (body["user"], body["prowjob"], body["base_ref"]) == ("john", "e2e", "release-1.32")
    assert answer.headers["Location"].endswith(f"/creations?creation={creation['id']}")


def test_programs_get_json(client: FlaskClient) -> None:
    details = client.post("/createcluster", json={"user": "john", "job": "e2e"}, headers=JSON).get_json()
    assert (details["success"], details["creation"]["state"]) == (True, "running")
    assert "claimBy" not in details["creation"]


def test_the_branch_defaults_to_master_and_the_job_is_required(client: FlaskClient, trigger: ScriptedTrigger) -> None:
    create(client)
    assert trigger.requests[0][1]["base_ref"] == "master"
    answer = client.get("/createcluster?user=john", headers=JSON)
    assert (answer.status_code, answer.get_json()["parameter"]) == (400, "job")
    assert "CIMASTER_DEFAULT_PROW_JOB" in answer.get_json()["detail"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("branch", "-x"),
        ("branch", "a..b"),
        ("branch", "a b"),
        ("branch", "a.lock"),
        ("branch", "a;b"),
        ("branch", "/a"),
        ("branch", "a//b"),
        ("branch", "a/.b"),
        ("branch", "a~1"),
        ("branch", "a\nb"),
        ("job", "-x"),
        ("job", "a b"),
        ("job", "$(id)"),
        ("purpose", "a b"),
        ("force", "yes"),
    ],
)
def test_values_unsafe_for_git_or_a_shell_are_refused_by_name(
    client: FlaskClient, trigger: ScriptedTrigger, name: str, text: str
) -> None:
    answer = client.get("/createcluster", query_string={"user": "john", "job": "e2e", name: text}, headers=JSON)
    assert (answer.status_code, answer.get_json()["parameter"]) == (400, name)
    assert (trigger.requests, creations(client)) == ([], [])


@pytest.mark.parametrize(
    ("user", "details"),
    [
        ("Jane Doe", "Jane Doe"),
        (" José\n", "José"),
        ("dependabot[bot]", "dependabot[bot]"),
        ("$(id)", "$(id)"),
        ("-x", "-x"),
        ("a\x00\u202eb\r\nc", "ab c"),
        ("x" * 300, "x" * 254),
    ],
)
def test_any_user_text_is_accepted(client: FlaskClient, trigger: ScriptedTrigger, user: str, details: str) -> None:
    for answer in (
        client.get("/createcluster", query_string={"user": user, "job": "e2e"}),
        client.post("/createcluster", json={"user": user, "job": "e2e", "force": True}),
    ):
        assert answer.status_code == 200, answer.text
    assert [creating["user"] for _, creating in trigger.requests] == [details, details]
    assert {creation["user"] for creation in creations(client)} == {details}


def test_an_equal_request_meanwhile_returns_the_same_creation(client: FlaskClient, trigger: ScriptedTrigger) -> None:
    first, again = create(client), create(client)
    assert again.text == first.text
    assert again.headers["CIMaster-Repeated"] == "true"
    assert create(client, force="true").text != first.text
    assert create(client, user="eve").text != first.text
    assert [body.get("force") for _, body in trigger.requests] == [None, True, None]
    assert len(creations(client)) == 3


def test_simultaneous_clicks_create_one_cluster(app: Flask, second: FlaskClient, trigger: ScriptedTrigger) -> None:
    clients = [app.test_client() if number % 2 else second.application.test_client() for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(create, clients))
    assert {answer.text for answer in answers} == {answers[0].text}
    assert len(trigger.requests) == 1


def test_the_same_request_id_is_carried_out_once(client: FlaskClient, trigger: ScriptedTrigger) -> None:
    first = create(client, force="true", request_id="r-1")
    again = create(client, force="true", request_id="r-1")
    assert (again.text, again.headers["CIMaster-Repeated"], len(trigger.requests)) == (first.text, "true", 1)
    assert refusal(create(client, request_id="r-1")) == (422, "request_id_reused")


@pytest.mark.slow
def test_after_a_lost_answer_the_trigger_is_called_again_with_the_same_key(
    client: FlaskClient, script: Script, trigger: ScriptedTrigger
) -> None:
    known: list[str] = []

    def lost_at_first(body: dict[str, Any]) -> Answer | None:
        known.append(body["request_id"])
        return None if len(known) < 3 else begun(body["request_id"])

    script.answer = lost_at_first
    assert create(client).status_code == 200
    assert len(known) == 3
    assert len(set(known)) == 1
    assert creations(client)[0]["tries"] == 3


def test_a_refusal_of_the_trigger_is_reported_immediately_with_its_reason(client: FlaskClient, script: Script) -> None:
    script.answer = lambda _body: said(404, success=False, message="job e2e is not known; did you mean e2e-k8s?")
    answer = create(client)
    assert refusal(answer) == (502, "creation_failed")
    assert "did you mean e2e-k8s?" in answer.text
    (creation,) = creations(client, state="failed")
    assert (creation["failure"], creation["id"] in answer.text) == ("refused", True)


@pytest.mark.slow
def test_a_creation_continues_when_the_trigger_cannot_be_reached(
    app: Flask, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cimaster.services.provisioning.WAIT", 0.5)
    script.answer = lambda _body: (503, {}, b"")
    answer = create(app.test_client())
    assert answer.status_code == 202
    (creation,) = creations(app.test_client())
    assert creation["id"] in answer.text
    assert answer.headers["Location"].endswith(creation["id"])
    until(lambda: "manual-trigger answered 503" in creations(app.test_client())[0].get("reason", ""))
    script.answer = lambda body: begun(body["request_id"])
    until(lambda: creations(app.test_client())[0]["state"] == "running")


def test_a_slow_trigger_does_not_delay_other_requests(app: Flask, add: Add, script: Script) -> None:
    add("cluster-01")
    come, go = Event(), Event()

    def slow(body: dict[str, Any]) -> Answer:
        come.set()
        go.wait(30)
        return begun(body["request_id"])

    script.answer = slow
    with ThreadPoolExecutor(1) as pool:
        creating = pool.submit(create, app.test_client())
        assert come.wait(30)
        assert app.test_client().get("/getvacant?job=a&build=1").text == "cluster-01"
        assert not creating.done()
        go.set()
        assert creating.result().status_code == 200


def test_a_request_beyond_the_waiting_limit_is_answered_immediately(
    app: Flask, script: Script, settings: Settings
) -> None:
    go = Event()
    script.answer = lambda body: begun(body["request_id"]) if go.wait(60) else None
    waiters = components_of(app).provisioning._waiters
    for _ in range(settings.threads // 4):
        assert waiters.acquire(blocking=False)
    assert create(app.test_client()).status_code == 202
    for _ in range(settings.threads // 4):
        waiters.release()
    go.set()
    until(lambda: creations(app.test_client())[0]["state"] == "running")


def test_adding_the_cluster_makes_the_creation_ready(client: FlaskClient, script: Script) -> None:
    script.answer = lambda _body: begun(JOB_NAME)
    create(client)
    sent = {"cluster": "new-1", "region": "us", "name": "root", "creation": JOB_NAME}
    answer = client.get("/addcluster", query_string=sent)
    assert (answer.status_code, answer.text) == (200, "cluster new-1 is added successfully\n")
    (creation,) = creations(client, state="ready")
    assert creation["cluster"] == "new-1"
    assert client.get("/getvacant?job=a&build=1").text == "new-1"


def test_a_cluster_of_another_purpose_does_not_complete_the_creation(client: FlaskClient, script: Script) -> None:
    script.answer = lambda _body: begun(JOB_NAME)
    create(client)
    sent = {"cluster": "new-1", "region": "us", "name": "root", "creation": JOB_NAME, "purpose": "perf"}
    answer = client.get("/addcluster", query_string=sent)
    assert refusal(answer) == (409, "creation_not_so")
    assert "leave out purpose or creation" in answer.text


def test_an_unknown_creation_is_refused_and_the_cluster_not_added(client: FlaskClient) -> None:
    answer = client.get("/addcluster?cluster=new-1&region=us&name=root&creation=c-none")
    assert refusal(answer) == (404, "unknown_creation")
    assert client.get("/clusters/new-1").status_code == 404


@pytest.mark.slow
def test_a_failed_job_fails_its_creation(client: FlaskClient, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cimaster.workers.provisioning._JOB_CHECK", 0.1)
    create(client)
    script.status = lambda: said(200, success=True, state="failure", complete=True, description="no quota")
    until(lambda: creations(client)[0]["state"] == "failed")
    (creation,) = creations(client)
    assert (creation["failure"], creation["reason"]) == ("job", "its job ended with failure: no quota")
    assert creation["jobEnded"]


def test_a_cluster_added_after_the_time_out_makes_the_creation_ready(
    client: FlaskClient, clock: MovableClock, script: Script
) -> None:
    script.answer = lambda _body: begun(JOB_NAME)
    create(client)
    clock.forward(hours=2, seconds=1)
    until(lambda: creations(client)[0]["state"] == "failed")
    client.get(f"/addcluster?cluster=late&region=us&name=root&creation={JOB_NAME}")
    assert [(c["state"], c["cluster"]) for c in creations(client)] == [("ready", "late")]


def test_the_list_has_one_line_per_creation(client: FlaskClient) -> None:
    assert client.get("/creations").text == "no cluster is being created\n"
    create(client)
    head, line = client.get("/creations").text.splitlines()
    assert head.split() == ["ID", "STATE", "PURPOSE", "USER", "JOB", "SITUATION"]
    assert "running" in line
    assert "times out in" in line
    assert client.get("/creations?state=failed").text == "no creations match\n"


def test_one_creation_is_found_by_its_id_or_its_job(client: FlaskClient, script: Script) -> None:
    script.answer = lambda _body: begun(JOB_NAME)
    create(client)
    (creation,) = creations(client, creation=JOB_NAME)
    assert creations(client, creation=creation["id"]) == [creation]
    assert refusal(client.get("/creations?creation=c-none")) == (404, "unknown_creation")


def test_a_failed_creation_is_retried_by_a_post(client: FlaskClient, script: Script, trigger: ScriptedTrigger) -> None:
    script.answer = lambda _body: said(403, success=False, message="not allowed")
    create(client)
    (failed,) = creations(client)
    script.answer = lambda body: begun(body["request_id"])
    answer = client.post("/creations", data={"retry": failed["id"], "name": "eve"})
    assert (answer.status_code, answer.text) == (200, f"creation {failed['id']} is requested again\n")
    until(lambda: creations(client)[0]["state"] == "running")
    assert creations(client)[0]["retriedBy"] == "eve"
    assert refusal(client.post("/creations", data={"retry": failed["id"], "name": "eve"})) == (409, "creation_not_so")


def test_a_failed_creation_is_dismissed_by_a_post(client: FlaskClient, script: Script) -> None:
    script.answer = lambda _body: said(403, success=False, message="not allowed")
    create(client)
    (failed,) = creations(client)
    answer = client.post("/creations", json={"dismiss": failed["id"], "name": "eve"})
    assert (answer.status_code, answer.text) == (200, f"creation {failed['id']} is dismissed\n")
    assert creations(client) == []


@pytest.mark.parametrize(
    ("sent", "parameter"),
    [
        ({}, "retry"),
        ({"retry": "c-1", "dismiss": "c-1"}, "dismiss"),
        ({"name": ""}, "name"),
    ],
)
def test_a_post_needs_retry_or_dismiss(client: FlaskClient, sent: dict[str, str], parameter: str) -> None:
    answer = client.post("/creations", data={"name": "eve", **sent}, headers=JSON)
    assert (answer.status_code, answer.get_json()["parameter"]) == (400, parameter)


def test_the_metrics_count_creations(client: FlaskClient, app: Flask) -> None:
    create(client)
    registry = components_of(app).metrics.registry
    assert registry.get_sample_value("cimaster_creations_total", {"outcome": "triggered"}) == 1
    now = {"state": "running", "purpose": "tess-ci"}
    assert registry.get_sample_value("cimaster_creations_now", now) == 1
