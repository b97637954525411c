"""The client as a process of its own, against a real service."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import requests

from cimaster.repository.stores.port import COMMIT_ANNOTATION, Conflict, StoredObject
from cimaster.repository.stores.sqlite import SQLiteStore
from tests.conditions import until
from tests.docs import markdown
from tests.replica import Replica

BRIEF = "tests.process.brief_waits:app"
ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": str(markdown.ROOT),
    "HOME": os.environ.get("HOME", "/"),
    "LC_ALL": "C.UTF-8",
    "CIMASTER_NAME": "root",
}
Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True, scope="session")
def _signals_as_in_a_terminal() -> None:
    """Under nohup processes ignore SIGHUP from their start, and a shell could not trap it."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Replica, SQLiteStore, StoredObject]]:
    """A service whose callers wait for a second per request, its store, and what that holds at first: one cluster."""
    folder = tmp_path_factory.mktemp("service")
    path = str(folder / "pool.db")
    arguments = ("python:cimaster.gunicorn_conf", BRIEF)
    with Replica(folder, arguments=arguments, CIMASTER_STORE=f"sqlite:{path}") as replica:
        answer = replica.get("/addcluster", cluster="cluster-01", region="r", name="root", label="a/gpu=yes")
        assert answer.ok, answer.text
        store = SQLiteStore(path, "clusters")
        yield replica, store, store.read()
        store.close()


@pytest.fixture
def replica(running: tuple[Replica, SQLiteStore, StoredObject]) -> Replica:
    """The service in its first state, with an empty log: starting one for each test took longer than most tests.

    The archive of the history stays as it is: a test with more than 4 kB of changes needs a file of its own.
    """
    replica, store, first = running
    replica.start()
    replica.server.log.write_text("")
    assert replica.get("/clusters", after=str(put_back(store, first))).ok
    return replica


def put_back(store: SQLiteStore, first: StoredObject) -> int:
    """Write what a store held at first as its newest commit, and return that commit's number."""
    while True:
        newest = store.read()
        commit = int(newest.annotations[COMMIT_ANNOTATION]) + 1
        annotations = {**first.annotations, COMMIT_ANNOTATION: str(commit)}
        with suppress(Conflict):  # the service has just written, for a caller who has gone
            store.replace(first.replaced(first.data, annotations).at(newest.version))
            return commit


@pytest.fixture
def environment(replica: Replica) -> dict[str, str]:
    """What a shell has that calls this service; nothing of a CI system that runs these tests."""
    return {**ENVIRONMENT, "CIMASTER_SERVER": replica.url}


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Starts `cimaster` with arguments; processes that still run at the end of the test are killed.

    One that has ended must have left no process of its session behind: neither its command nor anything below it.
    """
    started = []

    def start(*arguments: str, **variables: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "cimaster", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**environment, **variables},
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    ended = [process.pid for process in started if process.poll() is not None]
    for process in started:
        with process:
            process.kill()
    for session in ended:
        until(partial(is_over, session))


def is_over(session: int) -> bool:
    """Say whether no process of a session runs."""
    return not any(session_of(path) == session for path in Path("/proc").glob("[0-9]*/stat"))


def session_of(stat: Path) -> int:
    """Return the session of a process; 0 if it has ended."""
    try:
        state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if state == "Z" else int(session)


@pytest.fixture
def run(start: Start) -> Run:
    """Runs `cimaster` with arguments to its end."""

    def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        process = start(*arguments, **variables)
        printed, errors = process.communicate(timeout=100)
        return subprocess.CompletedProcess(arguments, process.returncode, printed, errors)

    return run


def state(replica: Replica, cluster: str = "cluster-01") -> str:
    """Return the state of a cluster."""
    answer = requests.get(f"{replica.url}/clusters/{cluster}", headers={"Accept": "application/json"}, timeout=60)
    return str(answer.json()["state"])
