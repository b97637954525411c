"""The requests of CIMaster to the manual-trigger service, and the results of each answer."""

from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from cimaster.pool.decisions.creation_attempts import TriggeredJob
from cimaster.pool.records.creation import JOB, REFUSED, TIMEOUT, UNREACHABLE, Creation
from cimaster.provisioners.manual_trigger import Settings, begin, look, read_url
from cimaster.provisioners.outcome import Failure
from tests.provisioners.trigger import Answer, ScriptedTrigger, begun, said
from tests.server import free_ports

CREATION = Creation(
    {"id": "c-1", "state": "requested", "user": "john", "branch": "release-1.32", "job": "e2e", "purpose": "tess-ci"}
)
RUNNING = CREATION.edited(jobName="job/1")
NEVER = Event()


def ask(answer: Answer | None, creation: Creation = CREATION, **settings: Any) -> TriggeredJob:
    """Start a creation at a server that gives this answer."""
    with ScriptedTrigger(lambda _path, _body: answer) as trigger:
        return begin(Settings(url=trigger.url, **settings), creation, NEVER)


def test_the_job_is_requested_as_the_first_service_did_and_with_a_key() -> None:
    with ScriptedTrigger(lambda _path, _body: begun()) as trigger:
        done = begin(Settings(url=trigger.url, org="acme", repo="infra"), CREATION, NEVER)
    assert trigger.requests == [
        (
            "/manual-trigger",
            {
                "org": "acme",
                "repo": "infra",
                "base_ref": "release-1.32",
                "prowtype": "postsubmit",
                "prowjob": "e2e",
                "user": "john",
                "source": "cimaster",
                "request_id": "c-1-0",
            },
        )
    ]
    assert (done.job_name, done.status_link) == ("job-1", "https://prow/prowjob?prowjob=job-1")
    assert (done.log_link, done.message) == ("", "ProwJob created successfully")


def test_force_is_passed_on() -> None:
    with ScriptedTrigger(lambda _path, _body: begun()) as trigger:
        begin(Settings(url=trigger.url), CREATION.edited(force=True), NEVER)
    assert trigger.requests[0][1]["force"] is True


def test_the_token_is_read_anew_for_each_request(tmp_path: Path) -> None:
    token = tmp_path / "token"
    with ScriptedTrigger(lambda _path, _body: begun()) as trigger:
        settings = Settings(url=trigger.url, token_file=str(token))
        for text in ("# a remark\n\nfirst of mine\nother\n", "second", "\ufeffthird"):
            token.write_text(text)
            begin(settings, CREATION, NEVER)
    assert trigger.tokens == ["Bearer first", "Bearer second", "Bearer third"]


@pytest.mark.parametrize("text", [None, "", "\n# none\n"])
def test_without_the_token_it_is_tried_again_later(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "token").write_text(text)
    with pytest.raises(Failure) as failure:
        ask(begun(), token_file=str(tmp_path / "token"))
    assert failure.value.missed.kind == UNREACHABLE
    assert "token" in failure.value.missed.reason


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (said(404, success=False, message="unknown job; did you mean e2e-k8s?"), REFUSED, "did you mean e2e-k8s?"),
        (said(403, success=False, message="not allowed"), REFUSED, "not allowed"),
        (said(400, success=False, message="bad branch"), REFUSED, "bad branch"),
        (said(401, success=False, message="no token"), UNREACHABLE, "no token"),
        (said(302, success=True, job_name="x"), REFUSED, "manual-trigger answered 302"),
        (said(200, success=False, message="no"), REFUSED, "no"),
        (said(200, success=True), REFUSED, "manual-trigger answered 200"),
        (said(200, success="true", job_name="x"), REFUSED, "manual-trigger answered 200"),
        (said(502, success=False, code="job_failed", message="no such build cluster"), JOB, "no such build cluster"),
        (said(502, success=False, message="API server away"), UNREACHABLE, "API server away"),
        ((503, {}, b"<html>proxy</html>"), UNREACHABLE, "manual-trigger answered 503"),
        ((500, {}, b"[1]"), UNREACHABLE, "manual-trigger answered 500"),
        ((200, {}, b"{"), UNREACHABLE, "manual-trigger answered 200"),
        (None, UNREACHABLE, "gave no answer"),
    ],
)
def test_each_answer_is_final_or_tried_again(answer: Answer | None, kind: str, reason: str) -> None:
    with pytest.raises(Failure) as failure:
        ask(answer)
    assert failure.value.missed.kind == kind
    assert reason in failure.value.missed.reason


@pytest.mark.parametrize(
    ("answer", "unknown"),
    [
        (None, True),
        ((200, {}, b"{"), True),
        ((502, {}, b"<html>proxy</html>"), True),
        (said(503, success=False, code="outcome_unknown"), True),
        (said(503, success=False, code="prow_unreachable"), False),
        (said(429, success=False, code="too_many"), False),
        (said(401, success=False), False),
    ],
)
def test_a_failure_says_whether_the_job_may_have_started(answer: Answer | None, unknown: bool) -> None:
    with pytest.raises(Failure) as failure:
        ask(answer)
    assert failure.value.missed.unknown is unknown


def test_a_job_that_prow_could_not_run_is_reported_with_its_links() -> None:
    with pytest.raises(Failure) as failure:
        ask(
            said(502, success=False, code="job_failed", message="quota", job_name="job-1", status_link="https://prow/1")
        )
    job = failure.value.missed.job
    assert job
    assert (job.job_name, job.status_link) == ("job-1", "https://prow/1")


def test_a_requested_wait_is_respected() -> None:
    for header, pause in (("7", timedelta(seconds=7)), ("soon", None), ("99999", timedelta(minutes=10))):
        status, headers, body = said(429, success=False, message="slower")
        with pytest.raises(Failure) as failure:
            ask((status, {**headers, "Retry-After": header}, body))
        assert (failure.value.missed.kind, failure.value.missed.pause) == (UNREACHABLE, pause)


def test_an_answer_that_does_not_come_in_time_is_a_time_out() -> None:
    over = Event()

    def silent(_path: str, _body: object) -> None:
        over.wait(30)

    with ScriptedTrigger(silent) as trigger:
        with pytest.raises(Failure) as failure:
            begin(Settings(url=trigger.url, timeout=timedelta(milliseconds=200)), CREATION, NEVER)
        over.set()
    assert failure.value.missed.kind == TIMEOUT


def test_an_endless_answer_is_cut_off() -> None:
    with pytest.raises(Failure) as failure:
        ask((200, {}, b"x" * 1_000_000))
    assert failure.value.missed.kind == TIMEOUT


def test_a_refused_connection_is_reported_with_the_address() -> None:
    (port,) = free_ports(1)
    with pytest.raises(Failure) as failure:
        begin(Settings(url=f"http://127.0.0.1:{port}/x"), CREATION, NEVER)
    assert (failure.value.missed.kind, failure.value.missed.unknown) == (UNREACHABLE, False)
    assert f"http://127.0.0.1:{port}/x" in failure.value.missed.reason


@pytest.mark.parametrize("link", ["javascript:alert(1)", "//evil", "https://x\ny", "https://" + "x" * 600, 5, None])
def test_links_that_a_page_may_not_show_are_left_out(link: object) -> None:
    assert ask(begun(status_link=link)).status_link == ""


def test_what_a_terminal_would_obey_is_left_out() -> None:
    assert ask(begun(message="a\x1b[2Jb\u202ec")).message == "a [2Jb c"


def test_long_texts_are_shortened_to_one_line() -> None:
    assert ask(begun(message="a\n b" + "x" * 9999)).message == ("a b" + "x" * 9999)[:300]


@pytest.mark.parametrize(
    ("answer", "ended", "failure"),
    [
        (said(200, success=True, state="pending", complete=False), False, ""),
        (said(200, success=True, state="aborted", complete=False), False, ""),
        (said(200, success=True, state="success", complete=True), True, "its job succeeded but added no cluster"),
        (
            said(200, success=True, state="failure", complete=True, description="Job failed."),
            True,
            "its job ended with failure: Job failed.",
        ),
        (said(404, success=False, code="unknown_job"), True, "Prow no longer knows its job"),
    ],
)
def test_the_status_of_a_job_is_reported(answer: Answer, ended: bool, failure: str) -> None:
    with ScriptedTrigger(lambda _path, _body: answer) as trigger:
        status = look(Settings(url=trigger.url), RUNNING)
    assert (status.ended, status.failure) == (ended, failure)
    assert trigger.requests == [("/manual-trigger/job%2F1", {})]


@pytest.mark.parametrize("answer", [said(404), said(500), said(401), (502, {}, b"x"), None])
def test_a_look_that_tells_nothing_changes_nothing(answer: Answer | None) -> None:
    with ScriptedTrigger(lambda _path, _body: answer) as trigger, pytest.raises(Failure) as failure:
        look(Settings(url=trigger.url), RUNNING)
    assert failure.value.missed.kind == UNREACHABLE


def test_the_durable_link_of_a_job_is_preferred() -> None:
    answer = said(200, success=True, state="pending", complete=False, log_link="https://log", url="https://durable")
    with ScriptedTrigger(lambda _path, _body: answer) as trigger:
        assert look(Settings(url=trigger.url), RUNNING).log_link == "https://durable"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://t:8080", "http://t:8080/manual-trigger"),
        ("http://t/", "http://t/manual-trigger"),
        ("https://t/a/b", "https://t/a/b"),
    ],
)
def test_the_path_of_the_address_may_be_left_out(text: str, url: str) -> None:
    assert read_url(text) == url


@pytest.mark.parametrize(
    "text", ["", "t:8080", "ftp://t", "http://", "http://u:p@t", "http://:p@t", "http://t?x", "http://t#x"]
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="an address"):
        read_url(text)
