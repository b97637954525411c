"""The service as an operator runs it: started by its own command, stopped by SIGTERM."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.manual_trigger.conftest import REQUEST_BODY
from tests.manual_trigger.deck import Deck
from tests.manual_trigger.plank import Plank, Prow
from tests.manual_trigger.process import TOKEN, ManualTrigger

pytestmark = pytest.mark.slow


@pytest.fixture
def process(tmp_path: Path, deck: Deck, kubeconfig: Path, namespace: str) -> Iterator[ManualTrigger]:
    """A process that waits for build ids as long as the setting allows."""
    names = {"MANUAL_TRIGGER_NAMESPACE": namespace, "MANUAL_TRIGGER_WAIT": "1m"}
    with ManualTrigger(tmp_path, deck.url, kubeconfig, **names) as running:
        yield running


def lines(process: ManualTrigger) -> list[dict[str, Any]]:
    return [json.loads(line) for line in process.server.log.read_text().splitlines()]


def test_a_job_is_started_reported_and_counted(process: ManualTrigger, plank: Plank, prow: Prow) -> None:
    answer = process.trigger(**REQUEST_BODY, source="a test")
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["log_link"] == f"http://127.0.0.1:{deck_port(body)}/log?job=e2e-k8s-1.32&id={body['build_id']}"
    assert process.http.get(f"{process.url}/manual-trigger/{body['job_name']}", timeout=10).json()["state"] == "pending"
    metrics = requests.get(process.metrics_url, timeout=10).text
    assert 'manual_trigger_triggers_total{outcome="created"} 1.0' in metrics
    assert 'flask_http_request_duration_seconds_count{method="POST"' in metrics
    assert requests.get(f"{process.url}/metrics", timeout=10).status_code == 401
    logged = next(line for line in lines(process) if line.get("outcome") == "created")
    assert {key: logged[key] for key in ("user", "source", "job", "job_name")} == {
        "user": "john",
        "source": "a test",
        "job": "e2e-k8s-1.32",
        "job_name": body["job_name"],
    }
    assert logged["request"] == answer.headers["X-Request-ID"]
    assert TOKEN not in process.server.log.read_text()


def deck_port(body: dict[str, Any]) -> str:
    port: str = body["status_link"].removeprefix("http://127.0.0.1:").partition("/")[0]
    return port


def test_requests_that_wait_for_a_build_delay_no_other(process: ManualTrigger, plank: Plank, prow: Prow) -> None:
    plank.mode = "stall"
    answers: list[requests.Response] = []
    users = [f"user{number}" for number in range(8)]
    waiting = [
        threading.Thread(target=lambda user=user: answers.append(process.trigger(**{**REQUEST_BODY, "user": user})))
        for user in users
    ]
    for thread in waiting:
        thread.start()
    while len(prow.jobs()) < len(users):
        assert requests.get(f"{process.url}/healthz", timeout=10).ok
    for job in prow.jobs():
        prow.pick_up(job, "123")
    for thread in waiting:
        thread.join()
    assert {answer.json()["build_id"] for answer in answers} == {"123"}


def test_sigterm_finishes_waiting_requests_and_exits_0(process: ManualTrigger, plank: Plank, prow: Prow) -> None:
    plank.mode = "stall"
    answers: list[requests.Response] = []
    waiting = threading.Thread(target=lambda: answers.append(process.trigger(**REQUEST_BODY)))
    waiting.start()
    while not prow.jobs():
        pass
    process.server.send(signal.SIGTERM)
    prow.pick_up(prow.jobs()[0], "123")
    waiting.join()
    assert answers[0].json()["build_id"] == "123"
    assert process.server.process is not None
    assert process.server.process.wait(30) == 0
    assert not [line for line in lines(process) if "exception" in line]


def test_a_wrong_setting_stops_the_start_with_a_sentence() -> None:
    command = [sys.executable, "-m", "cimaster.manual_trigger", "--config", "http://deck/config", "--rate", "often"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "MANUAL_TRIGGER_RATE is 'often': expected a number of jobs per period" in done.stderr


def test_without_access_to_a_cluster_the_start_stops_with_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cimaster.manual_trigger", "--config", "http://deck/config"]
    environment = {**os.environ, "KUBECONFIG": str(tmp_path / "missing")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 2
    assert done.stderr.startswith("manual-trigger: no access to a Kubernetes cluster is configured")
