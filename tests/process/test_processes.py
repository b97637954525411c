"""Behaviour that only real processes show: several replicas, crashes, restarts, draining."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest
import requests

from cimaster.common.token_file import hashed_line
from cimaster.pool.codec import CLUSTERS
from tests import required
from tests.conditions import until
from tests.kube.apiserver import ControlPlane
from tests.process.conftest import ONE_STORE, Start, fill, records
from tests.replica import Replica


def cimaster(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of `cimaster`."""
    command = [sys.executable, "-m", "cimaster", *arguments]
    environment = {**os.environ, **(environment or {})}
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment)


def test_sixty_concurrent_callers_get_fifty_clusters_and_ten_reasons(start: Start) -> None:
    replicas = [start(name) for name in "abc"]
    fill(replicas[0], 50)
    together = threading.Barrier(60)

    def take(caller: int) -> requests.Response:
        together.wait()
        url = replicas[caller % 3].url
        return requests.get(f"{url}/getvacant", params={"job": "e2e", "build": str(caller)}, timeout=60)

    with ThreadPoolExecutor(60) as callers:
        answers = list(callers.map(take, range(60)))
    got = [answer.text for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(got) == len(set(got)) == 50
    assert {(answer.status_code, answer.headers["CIMaster-Code"]) for answer in refused} == {(404, "no_vacant_cluster")}
    assert all("50 occupied" in answer.text for answer in refused)


def test_every_answer_given_before_a_crash_is_true_after_it(start: Start) -> None:
    replica = start()
    fill(replica, 100)
    taken: dict[str, str] = {}
    half = threading.Event()

    def take(build: int) -> None:
        try:
            answer = requests.get(f"{replica.url}/getvacant", params={"job": "e2e", "build": str(build)}, timeout=60)
        except requests.RequestException:
            return  # no answer came
        if answer.status_code == 200:
            taken[answer.text] = str(build)
        if len(taken) >= 40:
            half.set()

    with ThreadPoolExecutor(16) as callers:
        for build in range(100):
            callers.submit(take, build)
        half.wait()
        replica.server.crash()
    replica.start()
    after = records(replica)
    assert len(taken) >= 40
    assert {name: after[name]["lastBuild"] for name in taken} == taken
    assert all(after[name]["state"] == "occupied" for name in taken)


def test_a_hold_ends_in_time_although_the_process_was_restarted_in_between(start: Start) -> None:
    replica = start()
    fill(replica, 1)
    assert replica.get("/holdcluster", cluster="cluster-000", name="alice", duration="3s").ok
    replica.server.crash()
    replica.start()
    until(lambda: records(replica)["cluster-000"].get("holdBy", "") != "alice")
    assert records(replica)["cluster-000"]["state"] == "vacant"
    assert "its time was over" in replica.get("/history").text


def test_sigterm_finishes_the_requests_in_flight_and_exits_0(
    start: Start, environment: dict[str, str], request: pytest.FixtureRequest
) -> None:
    replica = start()
    fill(replica, 2)
    blocked = block_writes(environment, request)
    answers: list[requests.Response] = []
    waiting = threading.Thread(target=lambda: answers.append(replica.get("/getvacant", job="e2e", build="1")))
    waiting.start()
    until(lambda: "cimaster_changes_waiting 1.0" in metrics(replica))
    replica.server.send(signal.SIGTERM)
    blocked()
    waiting.join()
    assert answers[0].status_code == 200
    assert replica.server.process is not None
    assert replica.server.process.wait(30) == 0


def block_writes(environment: dict[str, str], request: pytest.FixtureRequest) -> Callable[[], None]:
    """Make the store slow until the returned function is called."""
    kind, _, path = environment["CIMASTER_STORE"].partition(":")
    if kind == "sqlite":
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("BEGIN IMMEDIATE")
        return connection.close
    control_plane: ControlPlane = request.getfixturevalue("control_plane")
    control_plane.pause_apiserver()
    return control_plane.resume_apiserver


def metrics(replica: Replica) -> str:
    """Return what the metrics port shows."""
    return requests.get(replica.metrics_url, timeout=60).text


def test_a_drained_replica_says_not_ready_and_still_serves(start: Start) -> None:
    replica = start()
    port = replica.url.rpartition(":")[2]
    assert cimaster("drain", "--port", port).returncode == 0
    assert replica.get("/readyz").status_code == 503
    assert replica.get("/clusters").ok


@ONE_STORE
def test_the_metrics_have_a_separate_port(start: Start) -> None:
    replica = start()
    fill(replica, 1)
    until(lambda: 'cimaster_changes_total{event="added"} 1.0' in metrics(replica))  # counted after the answer
    assert 'cimaster_clusters{purpose="tess-ci",state="vacant"} 1.0' in metrics(replica)
    assert f'cimaster_build_info{{version="{version("cimaster")}"}} 1.0' in metrics(replica)
    assert replica.get("/metrics").status_code == 404


@ONE_STORE
def test_the_metrics_port_is_no_way_to_the_pool(start: Start) -> None:
    replica = start()
    fill(replica, 1)
    port = replica.metrics_url.removesuffix("/metrics")
    for path in ("/clusters", "/", "/ui/history", "/getvacant?build=1&job=e2e", "/metrics/../clusters"):
        for method in ("GET", "POST"):
            assert "cluster-000" not in requests.request(method, port + path, timeout=60).text
    assert records(replica)["cluster-000"]["state"] == "vacant"


def test_a_pool_moves_between_stores_byte_for_byte(start: Start, environment: dict[str, str], tmp_path: Path) -> None:
    odd = (
        '[\n  {"name":"a","status":"finished", "weight": 1.10, "x" : {"y":[1e400]}},\n\n'
        '  {"name": "b" ,"status":"testing"}\n]\n'
    )
    source = tmp_path / "cluster.json"
    source.write_text(odd)
    done = cimaster("import", str(source), environment=environment)
    assert "2 clusters are imported" in done.stdout
    assert cimaster("export", "--key", CLUSTERS, environment=environment).stdout == odd
    replica = start()
    assert replica.get("/getvacant", job="j", build="1").text == "a"
    exported = json.loads(cimaster("export", environment=environment).stdout)
    assert '"weight": 1.10, "x" : {"y":[1e400]}' in exported["data"][CLUSTERS]
    again = cimaster("import", str(source), environment=environment)
    assert again.returncode == 1
    assert "--replace" in again.stderr


LEGACY_SCRIPT = """
CLUSTER=$(curl -sS --fail-with-body "$B/getvacant?build=123&job=e2e-test&email=ci-bot@example.com") \\
  || { echo "$CLUSTER" >&2; exit 1; }
[ "$CLUSTER" = cluster-000 ]
curl -sS --fail-with-body "$B/finishtest?cluster=$CLUSTER&job=e2e-test&build=123"
curl -sS --fail-with-body "$B/holdcluster?cluster=cluster-005&name=alice&desc=debugging+network+issue"
curl -sS --fail-with-body -X POST "$B/releasecluster?cluster=cluster-005&name=alice"
curl -sS --fail-with-body -d cluster=cluster-004 -d name=alice "$B/holdcluster"
curl -sS --fail-with-body --json '{"cluster": "cluster-004", "name": "alice"}' "$B/releasecluster"
[ "$(curl -sS "$B/addcluster?cluster=new&region=r&name=root")" = "cluster new is added successfully" ]
curl -sS -H "Accept: application/json" "$B/getvacant?build=123&job=test&name=john" | grep -q '"lastTriggerName":"john"'
OLD=$(curl -sS "$B/getvacant?build=1&job=old")
curl -sS --fail-with-body "$B/finishtest?cluster=$OLD"
if curl -sS --fail-with-body "$B/releasecluster?cluster=nope&name=alice"; then exit 7; fi
curl -sS "$B/holdcluster?cluster=cluster-003&name=alice" >/dev/null
[[ "$(curl -sS "$B/releasecluster?cluster=cluster-003&name=bob2")" == "user bob2 is not authorized"* ]]
"""


def run_legacy_script(replica: Replica, before: str = "") -> None:
    """Run the lines that scripts of the first service have; each of them must do what it did."""
    script = f"set -euo pipefail\nB={replica.url}\n{before}{LEGACY_SCRIPT}"
    done = subprocess.run(["bash", "-c", script], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_curl_lines_of_legacy_scripts_work_in_strict_bash(start: Start) -> None:
    replica = start()
    fill(replica, 6)
    run_legacy_script(replica)


def test_with_auth_required_legacy_scripts_need_one_more_header(tmp_path: Path) -> None:
    files = required.environment(tmp_path / "auth")
    Path(files["CIMASTER_TOKEN_FILE"]).write_text("".join(f"{hashed_line(f'of {n}', n)}\n" for n in ("alice", "root")))
    Path(files["CIMASTER_ROLES_FILE"]).write_text("ci alice\nperson alice\nadmin root\n")
    for name in ("alice", "root"):
        (tmp_path / name).write_text(f"Authorization: Bearer of {name}\n")
    with Replica(tmp_path, CIMASTER_STORE=f"sqlite:{tmp_path / 'pool.db'}", **files) as replica:
        replica.http.headers["Authorization"] = "Bearer of root"
        fill(replica, 6)
        role = 'case "$*" in *addcluster*) role=root ;; *) role=alice ;; esac'
        run_legacy_script(replica, f'curl() {{ local role; {role}; command curl -H @{tmp_path}/$role "$@"; }}\n')
