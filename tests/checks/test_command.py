"""Checks and cleans by a program: its environment, its result, and how it is ended."""

from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from cimaster.checks.command import CommandCheck
from cimaster.common.background_thread import Interrupted
from cimaster.pool.records.cluster import Cluster
from tests.conditions import until
from tests.provisioners.test_command import check_gone

CLUSTER = Cluster.new(
    {"name": "c-1", "status": "finished", "region": "us; rm -rf ~", "purpose": "perf", "osimage": "$(id)"}
)
SAMPLES = Path(__file__).parent.parent.parent / "cimaster" / "samples"


def run(script: str, stop: Event | None = None, **keys: Any) -> str:
    """Run a shell script as a check."""
    return CommandCheck("wipe", ("sh", "-c", script), **keys).run(CLUSTER, "clean-1", stop or Event())


def test_status_0_passes_and_another_one_fails_with_the_last_error() -> None:
    assert run("echo done") == ""
    assert run("echo first >&2; echo 'disk is full' >&2; exit 3") == "sh ended with 3: disk is full"
    assert run("kill -9 $$") == "sh ended with -9: it printed no error"


def test_the_facts_stand_in_the_environment_as_they_are(tmp_path: Path) -> None:
    script = f'printf "%s|" "$CLUSTER" "$REGION" "$PURPOSE" "$OSIMAGE" "$CHECK_KEY" > {tmp_path}/out'
    assert run(script) == ""
    assert (tmp_path / "out").read_text() == "c-1|us; rm -rf ~|perf|$(id)|clean-1|"


def test_the_environment_has_nothing_else_unless_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CIMASTER_SECRET", "s-1")
    monkeypatch.setenv("CLOUD_TOKEN", "t-1")
    monkeypatch.setenv("CLUSTER", "another")
    assert run(f"env > {tmp_path}/out", environment=("CLOUD_TOKEN", "CLUSTER")) == ""
    told = dict(line.split("=", 1) for line in (tmp_path / "out").read_text().splitlines())
    assert (told["CLOUD_TOKEN"], told["CLUSTER"]) == ("t-1", "c-1")
    ours = {"CLUSTER", "REGION", "PURPOSE", "OSIMAGE", "CHECK_KEY", "CLOUD_TOKEN"}
    assert set(told) - ours <= {"PATH", "HOME", "LANG", "TMPDIR", "PWD", "SHLVL", "_", "OLDPWD"}


def test_a_program_that_vanished_fails_with_a_reason() -> None:
    check = CommandCheck("wipe", ("/no/such",))
    assert check.run(CLUSTER, "clean-1", Event()) == "such cannot be run: No such file or directory"


def test_a_clean_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    reason = run(f"sleep 600 & echo $! > {tmp_path}/child; wait", timeout=timedelta(seconds=1))
    assert reason == "sh was stopped after 1 s, its time-out"
    check_gone(tmp_path / "child")


def test_a_stopping_service_interrupts_a_clean(tmp_path: Path) -> None:
    stop, interrupted = Event(), Event()

    def clean() -> None:
        try:
            run(f"echo $$ > {tmp_path}/child.new; mv {tmp_path}/child.new {tmp_path}/child; sleep 600", stop)
        except Interrupted:
            interrupted.set()

    thread = Thread(target=clean)
    thread.start()
    until(lambda: (tmp_path / "child").exists() or not thread.is_alive())
    stop.set()
    thread.join(30)
    assert interrupted.is_set()
    check_gone(tmp_path / "child")
