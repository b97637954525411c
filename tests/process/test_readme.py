"""The script that the README gives to CI jobs does what it says, as it stands."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.conditions import until
from tests.process.conftest import Start, fill, records
from tests.process.test_waiting import BRIEF, tickets
from tests.replica import Replica

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def script(replica: Replica, test: str) -> "subprocess.Popen[str]":
    """Run the script with something to do in place of the test."""
    (told,) = re.findall(r"^```sh\n(set -euo pipefail\n.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    steps, comment = told.split("# ... test on $CLUSTER")
    assert "renewlease" in comment
    job: Mapping[str, str] = {"CIMASTER": replica.url, "BUILD": "7", "JOB": "e2e", "AUTHOR": "ann@example.com"}
    given = "".join(f"{name}={value}\n" for name, value in job.items())
    return subprocess.Popen(
        ["bash", "-c", f"{given}{steps}{test}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_job_tests_on_its_cluster_and_gives_it_back_at_its_end(start: Start) -> None:
    replica = start()
    fill(replica, 1)
    with script(replica, 'echo "testing on $CLUSTER"; exit 3') as job:
        printed, errors = job.communicate(timeout=60)
    assert printed == "testing on cluster-000\ncluster cluster-000 is finished\n", errors
    assert job.returncode == 3
    (record,) = records(replica).values()
    assert (record["state"], record["lastTriggerName"]) == ("vacant", "ann")


def test_a_job_waits_through_several_tries_for_its_turn(start: Start) -> None:
    replica = start("a", BRIEF)
    fill(replica, 1)
    assert replica.get("/getvacant", job="first", build="1").ok
    with script(replica, 'echo "testing on $CLUSTER"') as job:
        until(lambda: replica.server.log.read_text().count("GET /getvacant 429") >= 2)
        assert replica.get("/finishtest", cluster="cluster-000", job="first", build="1").ok
        printed, errors = job.communicate(timeout=60)
    assert printed == "testing on cluster-000\ncluster cluster-000 is finished\n", errors
    assert job.returncode == 0


def test_a_job_that_cannot_have_one_says_why_and_fails(start: Start) -> None:
    replica = start()
    with script(replica, "echo never") as job:
        printed, errors = job.communicate(timeout=60)
    assert job.returncode == 1
    assert "there is no tess-ci cluster in this pool" in errors
    assert "never" not in printed


def test_a_job_that_is_ended_while_it_waits_leaves_the_queue(start: Start) -> None:
    replica = start()
    fill(replica, 1)
    assert replica.get("/getvacant", job="first", build="1").ok
    with script(replica, "echo never") as job:
        until(lambda: "7" in tickets(replica))
        os.killpg(job.pid, signal.SIGTERM)
        printed, _ = job.communicate(timeout=60)
    assert job.returncode == -signal.SIGTERM
    assert "is no longer waiting" in printed
    assert tickets(replica) == {}
