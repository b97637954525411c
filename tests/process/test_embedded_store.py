"""The README's promises about the SQLite file, with real processes that share one: every answer stays true.

One process is killed or stopped while it writes, or the machine loses power. Callers follow the README's advice for
scripts: one request_id per request, repeated on the other process if a connection breaks.
"""

import contextlib
import fcntl
import itertools
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import requests

from tests.conditions import until
from tests.replica import Replica

CLUSTERS = 70
Start = Callable[..., Replica]
_LOCK = "hhqqi"  # struct flock: kind, whence, start, length, owner


@dataclass
class Known:
    """What callers know and have requested; a lease is named by its id, a take by its request_id."""

    leases: dict[str, str] = field(default_factory=dict)
    """The cluster of each lease that an answer named."""
    asked_back: set[str] = field(default_factory=set)
    """The leases that a caller began to give back."""
    given_back: set[str] = field(default_factory=set)
    """Those of them for which that was confirmed."""
    open_takes: set[str] = field(default_factory=set)
    """The takes that have no answer (yet): they may have got a cluster, or not."""
    takes: set[str] = field(default_factory=set)
    """All takes."""
    commit: int = 0
    answers: int = 0

    def allowing_for(self, later: "Known") -> "Known":
        """Return a copy in which requests made until a later moment may or may not have been carried out."""
        return replace(self, asked_back=later.asked_back, open_takes=self.open_takes | (later.takes - self.takes))

    def untrue(self, replica: Replica) -> list[str]:
        """Return the facts that a process does not know, or contradicts."""
        newest = {"after": str(self.commit)}  # otherwise the list might be older than the other process's answers
        answer = requests.get(f"{replica.url}/clusters", newest, headers={"Accept": "application/json"}, timeout=60)
        now = {record["name"]: record for record in answer.json()["clusters"]}
        commit = int(answer.headers["CIMaster-Commit"])
        lost = [
            f"{cluster} should be with {lease}: {now.get(cluster)}"
            for lease, cluster in self.leases.items()
            if lease not in self.asked_back and now.get(cluster, {}).get("leaseId") != lease
        ]
        back = [f"its lease was given back: {r}" for r in now.values() if r.get("leaseId") in self.given_back]
        stray = [
            f"no caller requested its lease: {record}"
            for record in now.values()
            if "leaseId" in record
            and self.leases.get(record["leaseId"]) != record["name"]
            and record["requestId"] not in self.open_takes
        ]
        older = [f"commit {commit}, and {self.commit} was told"] if commit < self.commit else []
        return lost + back + stray + older


class Callers:
    """Scripts that take clusters and give them back; a request without an answer is repeated on the next process.

    Some are impatient: they do not repeat a broken request, and never learn its result.
    """

    def __init__(self, *replicas: Replica, count: int, impatient: int = 0) -> None:
        self.broke_off = 0
        self._urls = [replica.url for replica in replicas]
        self._count = count
        self._impatient = impatient
        self._known = Known()
        self._lock = threading.Lock()
        self._enough = threading.Event()
        self._pool = ThreadPoolExecutor(count)
        self._running: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._running = [self._pool.submit(self._script, number) for number in range(self._count)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._enough.set()
        self._pool.shutdown()
        if error is None:
            self._raise_failures()

    def known(self) -> Known:
        """Return what callers know now."""
        with self._lock:
            return deepcopy(self._known)

    def wait_for(self, more: int) -> None:
        """Wait until callers have received that many more answers."""
        enough = self._known.answers + more

        def answered() -> bool:
            self._raise_failures()
            return self._known.answers >= enough

        until(answered)

    def _raise_failures(self) -> None:
        for script in self._running:
            if script.done():
                script.result()

    def _script(self, number: int) -> None:
        mine: deque[str] = deque()
        for build in itertools.count():
            if self._enough.is_set():
                return
            mine.extend(self._take(number, build))
            if len(mine) > 1:
                self._give_back(number, mine.popleft())

    def _take(self, number: int, build: int) -> list[str]:
        """Take a cluster; return its lease, or nothing if no answer came."""
        query = {"job": f"e2e-{number}", "build": str(build), "request_id": uuid.uuid4().hex}
        with self._lock:
            self._known.open_takes.add(query["request_id"])
            self._known.takes.add(query["request_id"])
        answer = self._ask(number, "/getvacant", query)
        if answer is None:
            return []
        lease = answer.headers["CIMaster-Lease"]
        self._note_take(query["request_id"], answer.text, lease)
        repeated = self._ask_again(number, "/getvacant", query, answer)
        assert repeated is None or repeated.headers["CIMaster-Lease"] == lease
        return [lease]

    def _note_take(self, request: str, cluster: str, lease: str) -> None:
        with self._lock:
            known = self._known
            assert lease not in known.leases, f"{lease} was told twice"
            others = [other for other, its in known.leases.items() if its == cluster and other not in known.asked_back]
            assert not others, f"{cluster} was told twice, as {lease} and as {others}"
            known.leases[lease] = cluster
            known.open_takes.remove(request)

    def _give_back(self, number: int, lease: str) -> None:
        query = {"cluster": self._known.leases[lease], "lease": lease, "request_id": uuid.uuid4().hex}
        with self._lock:
            self._known.asked_back.add(lease)
        answer = self._ask(number, "/finishtest", query)
        if answer is not None:
            with self._lock:
                self._known.given_back.add(lease)
            self._ask_again(number, "/finishtest", query, answer)

    def _ask_again(
        self, number: int, path: str, query: dict[str, str], answer: requests.Response
    ) -> requests.Response | None:
        """Repeat an answered request on the next process; the answer must be the same."""
        repeated = self._ask(number + 1, path, query)
        if repeated is not None:
            assert repeated.headers.get("CIMaster-Repeated") == "true"
            assert repeated.text == answer.text
        return repeated

    def _ask(self, number: int, path: str, query: dict[str, str]) -> requests.Response | None:
        """Return the answer; None if the caller gave up."""
        for attempt in itertools.count(number):
            gives_up = False
            try:
                answer = requests.get(self._urls[attempt % len(self._urls)] + path, params=query, timeout=60)
            except requests.RequestException as error:
                self.broke_off += "refused" not in str(error)
                gives_up = number < self._impatient
            else:
                if answer.status_code != 503:
                    assert answer.status_code == 200, answer.text
                    self._count_answer(answer)
                    return answer
            if self._enough.wait(0.02) or gives_up:
                break
        return None

    def _count_answer(self, answer: requests.Response) -> None:
        with self._lock:
            self._known.commit = max(self._known.commit, int(answer.headers["CIMaster-Commit"]))
            self._known.answers += 1


def fill(replica: Replica) -> None:
    for number in range(CLUSTERS):
        answer = replica.get("/addcluster", cluster=f"cluster-{number:02}", region="r", name="root")
        assert answer.ok, answer.text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The store, alone in its folder."""
    folder = tmp_path.resolve() / "pool"
    folder.mkdir()
    return folder / "pool.db"


@pytest.fixture
def start(file: Path, tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts processes over a file; they are stopped after the test."""
    with ExitStack() as stack:

        def start(name: str, path: Path = file, **environment: Any) -> Replica:
            replica = Replica(tmp_path, name, CIMASTER_STORE=f"sqlite:{path}", **environment)
            stack.enter_context(replica)
            stack.callback(replica.server.crash)  # no test here is about an orderly shutdown, which takes seconds
            return replica

        yield start


def test_answers_stay_true_while_one_of_two_processes_is_killed(start: Start) -> None:
    replicas = [start("a"), start("b")]
    fill(replicas[0])
    with Callers(*replicas, count=16, impatient=4) as callers:
        for killed in [*replicas, *replicas, *replicas]:
            callers.wait_for(80)
            killed.server.crash()
            killed.start()
        callers.wait_for(80)
    assert callers.broke_off
    for replica in replicas:
        assert callers.known().untrue(replica) == []


class Disk:
    """A folder that shows what a power cut would leave: only synced data. powercut.c does the work."""

    def __init__(self, folder: Path, durable: Path, shim: Path) -> None:
        self.environment = {
            "LD_PRELOAD": str(shim),
            "POWERCUT_FOLDER": str(folder),
            "POWERCUT_DURABLE": str(durable),
        }
        self._durable = durable

    def lie(self) -> None:
        """From now on confirm every sync without keeping the data."""
        (self._durable / "lies").touch()

    def cut(self, copy: Path) -> Path:
        """Write the state after a power cut at this moment into a new folder; return the pool's file in it."""
        copy.mkdir()
        with (self._durable / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for line in (self._durable / "names").read_text().splitlines():
                inode, _, name = line.partition(" ")
                content = self._durable / f"content-{inode}"
                if content.exists() and not name.endswith("-shm"):  # SQLite creates that file again
                    shutil.copy(content, copy / name)
        return copy / "pool.db"


@pytest.fixture
def disk(file: Path, tmp_path: Path) -> Disk:
    """The disk under the store."""
    if sys.platform != "linux" or not shutil.which("cc"):
        missing = "there is no C compiler called cc, or this is not Linux: a power cut cannot be simulated"
        (pytest.fail if os.environ.get("CIMASTER_TEST_ALL") else pytest.skip)(missing)
    shim, durable = tmp_path / "powercut.so", tmp_path / "durable"
    source = Path(__file__).with_name("powercut.c")
    subprocess.run(["cc", "-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o", shim, source], check=True)
    durable.mkdir()
    return Disk(file.parent, durable, shim)


def test_every_answer_given_before_a_power_cut_is_true_after_it(start: Start, disk: Disk, tmp_path: Path) -> None:
    replicas = [start(name, **disk.environment) for name in "ab"]
    fill(replicas[0])
    cuts: list[tuple[Known, Path]] = []
    with Callers(*replicas, count=8) as callers:
        for number in range(4):
            callers.wait_for(120)
            known = callers.known()  # before the cut: later answers may be lost
            path = disk.cut(tmp_path / f"cut-{number}")
            cuts.append((known.allowing_for(callers.known()), path))
        replicas[0].server.crash()
        replicas[0].start()
        callers.wait_for(120)
        for replica in replicas:
            replica.server.crash()
        cuts.append((callers.known(), disk.cut(tmp_path / "cut-at-the-end")))
    for known, path in cuts:
        assert known.untrue(start(path.parent.name, path)) == []


def test_the_check_finds_answers_lost_by_a_lying_disk(start: Start, disk: Disk, tmp_path: Path) -> None:
    replicas = [start(name, **disk.environment) for name in "ab"]
    fill(replicas[0])
    with Callers(*replicas, count=8) as callers:
        callers.wait_for(120)
        disk.lie()
        callers.wait_for(120)
        known = callers.known()
        cut = disk.cut(tmp_path / "cut")
    untrue = known.untrue(start("after", cut))
    assert any("should be with" in lie for lie in untrue)
    assert untrue[-1].startswith("commit ")


@contextlib.contextmanager
def stopped(replica: Replica, path: Path, *, writing: bool) -> Iterator[None]:
    """Stop a process at a moment when it has SQLite's write lock, or has not."""
    assert replica.server.process is not None
    group = replica.server.process.pid
    while True:
        os.killpg(group, signal.SIGSTOP)
        try:
            while not is_stopped(group):
                pass
            if has_write_lock(group, path) == writing:
                yield
                return
        finally:
            os.killpg(group, signal.SIGCONT)
        time.sleep(0.01)


def is_stopped(group: int) -> bool:
    """Say whether all threads of a process group are stopped."""
    states = set()
    for stat in Path("/proc").glob("[0-9]*/task/*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group, *_ = stat.read_text().rpartition(")")[2].split()
            states |= {state} if int(its_group) == group else set()
    return states == {"T"}


def has_write_lock(group: int, path: Path) -> bool:
    """Say whether a process of a group has the write lock; the other replica may have it too, while it archives.

    It is a lock on byte 120 of the -shm file (sqlite.org/walformat.html). The kernel says which process has it.
    """
    with Path(f"{path}-shm").open("rb+") as shared:
        asked = struct.pack(_LOCK, fcntl.F_WRLCK, os.SEEK_SET, 120, 1, 0)
        kind, _, _, _, owner = struct.unpack(_LOCK, fcntl.fcntl(shared, fcntl.F_GETLK, asked))
    return kind != fcntl.F_UNLCK and os.getpgid(owner) == group


@pytest.mark.skipif(sys.platform != "linux", reason="reads from /proc whether a process is stopped")
def test_a_process_paused_in_a_write_costs_the_other_only_a_503(start: Start, file: Path) -> None:
    stopping, other = (start(name) for name in "ab")
    fill(other)
    with Callers(stopping, count=8) as callers:
        for number, writing in enumerate([False, False, True, False, False]):
            query = {"job": "other", "build": str(number), "request_id": uuid.uuid4().hex}
            callers.wait_for(10 + 7 * number)
            with stopped(stopping, file, writing=writing):
                answer = other.get("/getvacant", **query)
                assert other.get("/clusters").ok
            if writing:
                assert answer.status_code == 503, answer.text
                assert answer.headers["CIMaster-Code"] in ("store_unavailable", "too_busy", "outcome_unknown")
                while (answer := other.get("/getvacant", **query)).status_code == 503:
                    pass
            assert answer.status_code == 200, answer.text
            assert other.get("/finishtest", cluster=answer.text, lease=answer.headers["CIMaster-Lease"]).ok
            callers.wait_for(10)
    assert callers.known().untrue(other) == []
