"""Checks and cleans by a job of Prow: it is started once, followed to its end, and its result is the check's."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest

from cimaster.checks import prowjob
from cimaster.checks.prowjob import ProwjobCheck
from cimaster.common.background_thread import Interrupted
from cimaster.pool.records.cluster import Cluster
from tests.conditions import until
from tests.provisioners.trigger import Answer, ScriptedTrigger, begun, said
from tests.server import free_ports

CLUSTER = Cluster.new({"name": "c-1", "status": "finished", "region": "us west", "purpose": "perf"})
Script = Callable[[str, dict[str, Any]], Answer | None]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the job more often than usual."""
    monkeypatch.setattr(prowjob, "_POLL_INTERVAL", 0.02)


def run(url: str, stop: Event | None = None, job: str = "reset", **keys: Any) -> str:
    """Run the check, with this address of manual-trigger in the environment."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CIMASTER_PROW_URL", url)
        return ProwjobCheck("reset", job, **keys).run(CLUSTER, "clean-1", stop or Event())


def scripted(script: Script, **keys: Any) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    """Run the check with a manual-trigger of this script; return its result and the requests."""
    with ScriptedTrigger(script) as trigger:
        return run(trigger.url, **keys), trigger.requests


def job(*looks: Answer | None, start: Answer | None = None) -> Script:
    """Return the script of a job that is started and then looked at."""
    left = list(looks)
    return lambda _path, body: (start or begun()) if body else left.pop(0)


def ended(state: str, **body: Any) -> Answer:
    """Return the status of a job that has ended."""
    return said(200, state=state, complete=True, **body)


RUNNING = said(200, state="pending", complete=False)


def test_a_job_that_succeeds_passes() -> None:
    result, requests = scripted(job(RUNNING, RUNNING, ended("success")), branch="main")
    assert result == ""
    assert requests[0] == (
        "/manual-trigger",
        {
            "org": "tess",
            "repo": "tessops",
            "base_ref": "main",
            "prowtype": "postsubmit",
            "prowjob": "reset",
            "user": "c-1",
            "source": "cimaster",
            "request_id": "clean-1",
        },
    )
    assert requests[1:] == [("/manual-trigger/job-1", {})] * 3


def test_job_and_user_may_have_placeholders() -> None:
    _, requests = scripted(job(ended("success")), job="reset-{cluster}", user="bot for {region}")
    assert (requests[0][1]["prowjob"], requests[0][1]["user"]) == ("reset-c-1", "bot for us west")
    assert run("http://127.0.0.1:9/", job="reset-{region}") == (
        "'reset-us west' is not the name of a job: correct the facts about the cluster or [reset]"
    )


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (job(ended("failure", description="disk is full")), "its job ended with failure: disk is full"),
        (job(ended("aborted")), "its job ended with aborted: no reason given"),
        (job(said(404, code="unknown_job")), "Prow no longer knows its job"),
        (job(start=said(404, success=False, message="unknown job")), "manual-trigger answered 404: unknown job"),
        (job(start=said(502, success=False, code="job_failed", message="quota")), "manual-trigger answered 502: quota"),
    ],
)
def test_a_job_that_does_not_succeed_fails_with_a_reason(script: Script, reason: str) -> None:
    assert scripted(script)[0] == reason


def test_an_outage_of_manual_trigger_does_not_fail_the_check() -> None:
    outage = said(503, success=False, message="API server away")
    starts = [None, outage, begun()]
    looks = [RUNNING, outage, None, ended("success")]
    result, requests = scripted(lambda _path, body: starts.pop(0) if body else looks.pop(0))
    assert result == ""
    assert {body["request_id"] for _, body in requests if body} == {"clean-1"}
    assert starts == looks == []


def test_a_job_that_does_not_end_is_given_up_at_the_time_out() -> None:
    result, _ = scripted(lambda _path, body: begun() if body else RUNNING, timeout=timedelta(seconds=1))
    assert result == "the job reset did not end within 1 s"


def test_the_reason_says_that_manual_trigger_was_away() -> None:
    reason = run(f"http://127.0.0.1:{free_ports(1)[0]}/", timeout=timedelta(seconds=1))
    assert reason.startswith("the job reset did not end within 1 s: manual-trigger at http")


def test_a_stopping_service_leaves_the_job_to_another_replica() -> None:
    stop, interrupted = Event(), Event()
    with ScriptedTrigger(lambda _path, body: begun() if body else RUNNING) as trigger:

        def follow() -> None:
            try:
                run(trigger.url, stop)
            except Interrupted:
                interrupted.set()

        thread = Thread(target=follow)
        thread.start()
        until(lambda: len(trigger.requests) > 2)
        stop.set()
        thread.join(30)
        assert interrupted.is_set()
        trigger.script = job(ended("success"))
        assert run(trigger.url) == ""
        assert trigger.requests[-2][1] == trigger.requests[0][1]
