"""The result that `cimaster run` and `cimaster finish` send: what it is, and what follows it."""

import signal
from typing import Any

import pytest
import requests

from tests.cli.conftest import Run, Start, state
from tests.cli.test_run import ENDLESS, JOB, errors_of, line
from tests.replica import Replica

pytestmark = pytest.mark.slow


def record(replica: Replica, cluster: str = "cluster-01") -> dict[str, Any]:
    """Return the record of a cluster as the service shows it."""
    answer = requests.get(f"{replica.url}/clusters/{cluster}", headers={"Accept": "application/json"}, timeout=60)
    found: dict[str, Any] = answer.json()
    return found


def results(replica: Replica) -> list[str]:
    """Return the results that the cluster remembers, newest first."""
    return [result["result"] for result in record(replica).get("results", [])]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("true",), ["pass"]),
        (("false",), ["fail"]),
        (("sh", "-c", "exit 137"), ["fail"]),
        (("sh", "-c", "kill -9 $$"), ["error"]),
        (("no-such-command",), []),
    ],
)
def test_the_result_follows_from_how_the_command_ended(
    replica: Replica, run: Run, command: tuple[str, ...], expected: list[str]
) -> None:
    run("run", *JOB, "--", *command)
    assert results(replica) == expected
    assert state(replica) == "vacant"


def test_a_cancelled_run_has_no_result(replica: Replica, start: Start) -> None:
    process = start("run", *JOB, "--hold-on-failure", "2h", "--", "sh", "-c", ENDLESS)
    assert line(process) == "ready"
    process.send_signal(signal.SIGTERM)
    assert "is finished" in errors_of(process)
    assert process.returncode == 128 + signal.SIGTERM
    assert results(replica) == []
    assert state(replica) == "vacant"


def test_a_cancelled_run_that_ends_well_has_passed(replica: Replica, start: Start) -> None:
    process = start("run", *JOB, "--", "sh", "-c", f"trap 'exit 0' TERM; {ENDLESS}")
    assert line(process) == "ready"
    process.send_signal(signal.SIGTERM)
    errors_of(process)
    assert (process.returncode, results(replica)) == (0, ["pass"])


def test_a_failure_is_held_for_the_person(replica: Replica, run: Run) -> None:
    done = run("run", *JOB, "--name", "ann", "--hold-on-failure", "2h", "--", "sh", "-c", "exit 4")
    assert done.returncode == 4
    assert "held by ann" in done.stderr
    assert (state(replica), record(replica)["holdBy"]) == ("held", "ann")


def test_a_success_is_not_held(replica: Replica, run: Run) -> None:
    assert run("run", *JOB, "--name", "ann", "--hold-on-failure", "2h", "--", "true").returncode == 0
    assert state(replica) == "vacant"


def test_a_hold_needs_a_person(run: Run) -> None:
    done = run("run", *JOB, "--hold-on-failure", "2h", "--", "true", CIMASTER_NAME="")
    assert done.returncode == 2
    assert "Say --name" in done.stderr


def test_single_steps_send_a_result_and_hold(replica: Replica, run: Run) -> None:
    cluster, lease = run("take", *JOB, "--name", "ann", "-o", "wide").stdout.split()
    finished = run("finish", cluster, "--lease", lease, "--result", "error", "--hold", "1h")
    assert "held by ann" in finished.stdout
    assert results(replica) == ["error"]
    assert run("finish", cluster, "--lease", lease, "--result", "broken").returncode == 2


def test_failing_builds_take_a_cluster_out(replica: Replica, run: Run) -> None:
    assert run("add", "cluster-02", "--region", "r").returncode == 0  # one of a purpose with one cluster stays
    for build in ("118", "121", "130"):
        done = run("run", "--cluster", "cluster-01", "--job", "e2e", "--build", build, "--", "false")
    assert "quarantined" in done.stderr
    assert state(replica) == "quarantined"
    wide = run("list", "-o", "wide").stdout
    assert "fail,fail,fail" in wide
    assert "e2e #130" in wide
    assert "quarantined fail,fail,fail" in run("list").stdout
    assert run("list", "--state", "quarantined", "-o", "name").stdout == "cluster-01\n"
    assert "not vacant: quarantined" in run("run", "--cluster", "cluster-01", *JOB, "--", "true").stderr
    assert run("health", "cluster-01", "ok", "--reason", "repaired").returncode == 0
    assert state(replica) == "vacant"
