"""Checks and cleans by real replicas: one is killed in the middle, one is stopped, and a bad file stops the start."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conditions import until
from tests.process.conftest import Start, fill, records
from tests.process.test_creations import BRIEF_CLAIMS
from tests.provisioners.test_command import check_gone

WIPE = """[wipe]
kind = command
program = sh -c 'echo "$$ $CHECK_KEY" >> {0}/runs; until [ -e {0}/end ]; do sleep 0.1; done'
"""


@pytest.fixture
def environment(environment: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """The settings of a replica with a clean that lasts until the file `end` is there."""
    (tmp_path / "checks.ini").write_text(WIPE.format(tmp_path))
    return {**environment, "CIMASTER_CHECKS_FILE": str(tmp_path / "checks.ini")}


def runs(folder: Path) -> list[list[str]]:
    """Return the process and the key of each clean."""
    path = folder / "runs"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def test_a_replica_killed_in_the_middle_of_a_clean_is_followed_by_another(start: Start, tmp_path: Path) -> None:
    doomed = start("a", BRIEF_CLAIMS)
    fill(doomed, 1)
    assert doomed.get("/setpurpose", purpose="tess-ci", clean="wipe", name="root").ok
    name = doomed.get("/getvacant", job="e2e", build="1").text.strip()
    assert doomed.get("/finishtest", cluster=name, job="e2e", build="1").ok
    until(lambda: runs(tmp_path))
    doomed.server.crash()
    os.kill(int(runs(tmp_path)[0][0]), signal.SIGKILL)  # in a pod, the program would not outlive the replica
    other = start("b", BRIEF_CLAIMS)
    assert other.get("/getvacant", job="e2e", build="2").status_code == 404
    until(lambda: len(runs(tmp_path)) > 1)
    assert len({key for _, key in runs(tmp_path)}) == 1
    (tmp_path / "end").touch()
    until(lambda: records(other)[name]["state"] == "vacant")
    assert other.get("/getvacant", job="e2e", build="3").text.strip() == name


def test_a_stopping_replica_ends_its_clean_and_another_goes_on(start: Start, tmp_path: Path) -> None:
    leaving = start("a")
    fill(leaving, 1)
    assert leaving.get("/setpurpose", purpose="tess-ci", clean="wipe", name="root").ok
    name = leaving.get("/getvacant", job="e2e", build="1").text.strip()
    assert leaving.get("/finishtest", cluster=name, job="e2e", build="1").ok
    until(lambda: runs(tmp_path))
    other = start("b")
    leaving.server.stop(60)
    (tmp_path / "child").write_text(runs(tmp_path)[0][0])
    check_gone(tmp_path / "child")
    until(lambda: len(runs(tmp_path)) == 2, 30)  # sooner than the claim would have ended
    (tmp_path / "end").touch()
    until(lambda: records(other)[name]["state"] == "vacant")


def test_a_bad_file_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "checks.ini").write_text("[ping]\nkind = http\nurl = https://{cluster}/\n")
    started = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "python:cimaster.gunicorn_conf"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "CIMASTER_CHECKS_FILE": str(tmp_path / "checks.ini")},
    )
    assert started.returncode != 0
    assert "cimaster: CIMASTER_CHECKS_FILE is" in started.stderr
    assert "[ping] url is 'https://{cluster}/': expected a domain of yours" in started.stderr
