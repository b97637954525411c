"""A program that creates clusters: its environment, its output and its time-out."""

import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from cimaster.common import child_program
from cimaster.common.background_thread import Interrupted
from cimaster.common.child_program import read_program
from cimaster.common.settings import BadSetting
from cimaster.pool.records.creation import JOB, REFUSED, Creation
from cimaster.pool.records.json_values import load
from cimaster.provisioners import KINDS, Provisioner, manual_trigger
from cimaster.provisioners.command import Settings, begin
from cimaster.provisioners.outcome import Built, Failure
from tests.conditions import until

CREATION = Creation(
    {"id": "c-1", "state": "running", "user": "john", "branch": "master", "job": "e2e", "purpose": "perf", "round": 2}
)
SAMPLE = Path(__file__).parent.parent.parent / "cimaster" / "samples" / "create-cluster.sh"


def run(script: str, stop: Event | None = None, **settings: Any) -> Built:
    """Run a shell script as the program."""
    return begin(Settings(program=("sh", "-c", script), **settings), CREATION, stop or Event())


def test_the_last_line_is_the_cluster() -> None:
    told = {"region": "us", "purpose": "perf", "osimage": "flatcar", "labels": {"gpu": "yes"}, "note": "n"}
    built = run(f"echo working; echo '{json.dumps({'cluster': 'new', **told})}'; echo")
    assert (built.cluster, built.facts.region, built.facts.purpose) == ("new", "us", "perf")
    assert (built.facts.osimage, built.facts.labels, built.facts.note) == ("flatcar", {"gpu": "yes"}, "n")


def test_the_environment_says_what_is_wanted_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIMASTER_SECRET", "x")
    monkeypatch.setenv("AUTHOR", "dora")
    wanted = "$AUTHOR $CREATION $CREATION_KEY $PURPOSE $BRANCH $JOB $CIMASTER_SECRET"
    built = run(f"""printf '{{"cluster": "new", "region": "us", "note": "%s"}}' "{wanted}" """)
    assert built.facts.note == "john c-1 c-1-2 perf master e2e"


def test_a_failure_is_reported_in_its_own_words() -> None:
    with pytest.raises(Failure) as failure:
        run("echo ignored >&2; echo 'no quota left' >&2; exit 3")
    assert (failure.value.missed.kind, failure.value.missed.reason) == (JOB, "sh ended with 3: no quota left")
    with pytest.raises(Failure, match="it printed no error"):
        run("exit 1")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "does not describe a cluster in JSON"),
        ("done", "does not describe a cluster in JSON"),
        ("[]", "does not describe a cluster in JSON"),
        ('{"cluster": "a", "region": "us", "colour": "red"}', "unknown member 'colour'"),
        ("{}", "has no region"),
        ('{"region": "us"}', "has no cluster"),
        ('{"cluster": "NO", "region": "us"}', "a name"),
        ('{"cluster": "any", "region": "us"}', "another name than"),
        ('{"cluster": "a", "region": 5}', "does not describe a cluster in JSON"),
        ('{"cluster": "a", "region": "us", "labels": {"b c": "d"}}', "key=value"),
        ('{"cluster": "a", "region": "us", "labels": [1]}', "does not describe a cluster in JSON"),
    ],
)
def test_a_last_line_that_is_no_cluster_is_a_failure(line: str, reason: str) -> None:
    with pytest.raises(Failure) as failure:
        run(f"echo '{line}'")
    assert failure.value.missed.kind == JOB
    assert reason in failure.value.missed.reason


def test_a_program_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure) as failure:
        begin(Settings(program=("/no/such",)), CREATION, Event())
    assert failure.value.missed.kind == REFUSED
    assert "such cannot be run: No such file" in failure.value.missed.reason
    (tmp_path / "text").write_text("no program")
    for program, words in (
        ((), "is not set"),
        (("/no/such",), "does not exist"),
        ((f"{tmp_path}/text",), "cannot be run"),
    ):
        with pytest.raises(BadSetting, match=words):
            Settings(program=program).check()
    Settings(program=("sh", "-c", "true")).check()


def test_credentials_are_passed_on_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_TOKEN", "t-1")
    script = """printf '{"cluster": "new", "region": "us", "note": "<%s>"}' "$CLOUD_TOKEN" """
    assert run(script).facts.note == "<>"
    assert run(script, environment=("CLOUD_TOKEN",)).facts.note == "<t-1>"


def test_a_cluster_for_something_else_is_a_failure() -> None:
    with pytest.raises(Failure, match="created new for other instead of perf"):
        run("""echo '{"cluster": "new", "region": "us", "purpose": "other"}'""")


@pytest.mark.slow
def test_a_program_that_takes_too_long_is_ended_with_all_its_children(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="was stopped after"):
        run(f"sleep 600 & echo $! > {tmp_path}/child; wait", timeout=timedelta(seconds=1))
    check_gone(tmp_path / "child")


def test_a_stopping_service_ends_the_program_without_a_failure(tmp_path: Path) -> None:
    stop = Event()
    ended: list[BaseException] = []

    def running() -> None:
        try:
            run(f"echo $$ > {tmp_path}/child.new; mv {tmp_path}/child.new {tmp_path}/child; sleep 600", stop)
        except Interrupted as interrupted:
            ended.append(interrupted)

    thread = Thread(target=running)
    thread.start()
    while not (tmp_path / "child").exists():
        assert thread.is_alive()
    stop.set()
    thread.join(30)
    assert len(ended) == 1
    check_gone(tmp_path / "child")


@pytest.mark.slow
def test_a_child_that_will_not_end_is_killed_with_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_program, "_GRACE_PERIOD", 0.5)
    stubborn = f"""sh -c 'trap "" TERM; echo $$ > {tmp_path}/child; sleep 600; sleep 600' &"""
    with pytest.raises(Failure, match="was stopped after"):
        run(f"{stubborn} while [ ! -s {tmp_path}/child ]; do sleep 0.05; done; sleep 600", timeout=timedelta(seconds=3))
    check_gone(tmp_path / "child")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no cores to choose")
def test_a_program_may_use_every_core_also_where_the_service_keeps_to_one() -> None:
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(every)})
    try:
        built = run("""sleep 0.3; printf '{"cluster": "new", "region": "us", "note": "%s"}' "$(nproc)" """)
    finally:
        os.sched_setaffinity(0, every)
    assert built.facts.note == str(len(every))


def check_gone(child: Path) -> None:
    """Wait until a process has ended: a signal takes effect some time after it was sent."""
    number = int(child.read_text())
    try:
        until(lambda: not runs(number), 10)
    except AssertionError:
        os.kill(number, signal.SIGKILL)
        raise


def runs(number: int) -> bool:
    """Say whether a process is running; an ended one may still be listed as a zombie."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_megabytes_of_output_do_no_harm() -> None:
    program = (
        sys.executable,
        "-c",
        """print("x" * 5_000_000); print('{"cluster": "new", "region": "us"}')""",
    )
    assert begin(Settings(program=program), CREATION, Event()).cluster == "new"


def test_the_sample_program_creates_the_same_cluster_for_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(program=("env", "CREATE_SECONDS=0", str(SAMPLE)))
    first, again = (begin(settings, CREATION, Event()) for _ in range(2))
    other = begin(settings, CREATION.edited(round=3), Event())
    assert first == again
    assert first.cluster != other.cluster
    assert first.facts.purpose == "perf"


def test_a_command_line_is_taken_apart_as_a_shell_would() -> None:
    assert read_program("/opt/create --size 'very large'") == ("/opt/create", "--size", "very large")
    for text in ("", "  ", "'unclosed"):
        with pytest.raises(ValueError, match="a program and its arguments"):
            read_program(text)


@pytest.mark.parametrize("name", ["user", "branch", "job", "purpose"])
@pytest.mark.parametrize(("odd", "code"), [("a\\u0000b", REFUSED), ("a\\nb", REFUSED), ("a\\ud800b", JOB)])
@pytest.mark.parametrize("kind", ["command", "manual-trigger"])
def test_a_stored_creation_with_odd_characters_fails_with_a_sentence(name: str, odd: str, code: str, kind: str) -> None:
    text = f'{{"id": "c-1", "state": "requested", "{name}": "{odd}"}}'
    creation = Creation.parse(text, load(text))
    settings = Settings(program=("false",)) if kind == "command" else manual_trigger.Settings(url="http://127.0.0.1:9/")
    with pytest.raises(Failure) as failure:
        Provisioner(kind, KINDS[kind], settings).begin(creation, Event())
    if code == REFUSED:
        assert failure.value.missed.kind == REFUSED
        assert f"{name} of creation c-1 has control characters" in failure.value.missed.reason
