"""`make bench-flood`: what a job's requests take while another caller sends as many as 100 connections can carry.

One replica serves a busy pool with `auth = required`. A job of another address takes and finishes, without a flood and
with each kind in turn. The flooder runs only when nothing else wants a core (SCHED_IDLE), and not on the replica's, so
that its own work delays no measured request.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.web.identity.roles import Role
from tests.bench.fleet import Embedded, Fleet, fleet
from tests.bench.flooder import KINDS
from tests.bench.load import Caller
from tests.bench.object_size import BusyPool
from tests.bench.table import markdown
from tests.required import bearer, name_of, write_files

QUIET = "none"
_ROUNDS, _SECONDS, _FIRST_SECONDS, _PAUSE = 2, 5.0, 2.0, 0.01
_CLUSTERS, _UTILISATION, _HOURS = 60, 0.7, 4
_SOURCE = "127.0.0.3"
_JOB: dict[str, Any] = bearer("ci-2")


@dataclass
class Times:
    """The seconds of takes and of finishes that were answered with 200, and the statuses of the others."""

    takes: list[float] = field(default_factory=list)
    finishes: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    """What the replica has done for all callers during each finish: seconds of processor time."""
    refused: Counter[str] = field(default_factory=Counter)
    flood: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    at_first: list[float] = field(default_factory=list)
    """The processor time of finishes while the flood begins."""


def percentile(times: list[float], share: float) -> float:
    """Return the milliseconds within which this share was answered."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else float("nan")


class BusyFile(Embedded):
    """The file of a pool that was in use for a while, with clusters that only the measured jobs ask for."""

    def fill(self, clusters: int) -> None:
        """Put the pool into the file."""
        super().fill(1)
        busy = BusyPool(clusters, _UTILISATION, now=datetime.now(UTC) - timedelta(hours=_HOURS))
        busy.run(_HOURS)
        store = SQLiteStore(self.environment["CIMASTER_STORE"].removeprefix("sqlite:"), "clusters")
        store.replace(store.read().replaced(busy.data, {}))
        store.close()


def settings_of(folder: Path) -> dict[str, Any]:
    """Return the settings of a replica that requires credentials."""
    files = write_files(folder / "required")
    return {
        "CIMASTER_AUTH": "required",
        "CIMASTER_TOKEN_FILE": str(files.tokens),
        "CIMASTER_ROLES_FILE": str(files.roles),
        "CIMASTER_SESSION_KEY_FILE": str(files.session_keys),
    }


@contextmanager
def flooding(port: int, kind: str, core: int, seen: Counter[str]) -> Iterator[IO[bytes]]:
    """Run the flooder for a block, apart from the replica's core; add what it saw to `seen`.

    Returns its output, in which a line follows when it is first answered.
    """
    command = [sys.executable, "-m", "tests.bench.flooder", str(port), kind, str(core)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()  # it has begun
        try:
            yield process.stdout
        finally:
            seen.update(json.loads(process.communicate()[0].splitlines()[-1]))


async def jobs(port: int, replica: int, times: Times, seconds: float = _SECONDS) -> None:
    """Let one job after another take a cluster and finish, for a while."""
    caller = Caller("127.0.0.1", port, _SOURCE)
    until, number = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        await _job(replica, caller, number, times)
        await asyncio.sleep(random.uniform(0, 2 * _PAUSE))
        number += 1
    caller.close()


def processor_time(process: int) -> float:
    """Return the seconds that a process has used (its clock's id is that of clock_getcpuclockid(3))."""
    return time.clock_gettime((~process << 3) | 2)


async def _job(replica: int, caller: Caller, number: int, times: Times) -> None:
    started = time.perf_counter()
    taken = await caller.get(f"/getvacant?job=job-{number}&build=1&purpose=measured", **_JOB)
    if taken.status != 200:
        times.refused[f"take: {taken.headers.get('cimaster-code')}"] += 1
        return
    times.takes.append(time.perf_counter() - started)
    await asyncio.sleep(random.uniform(0, 2 * _PAUSE))
    started, before = time.perf_counter(), processor_time(replica)
    lease = taken.headers["cimaster-lease"]
    finished = await caller.get(f"/finishtest?cluster={taken.text}&lease={lease}", **_JOB)
    if finished.status == 200:
        times.finishes.append(time.perf_counter() - started)
        times.work.append(processor_time(replica) - before)
    else:
        times.refused[f"finish: {finished.headers.get('cimaster-code')}"] += 1


async def _prepare(port: int) -> None:
    caller, admin = Caller("127.0.0.1", port, _SOURCE), dict[str, Any](bearer(name_of(Role.ADMIN)))
    for number in range(40):
        path = f"/addcluster?cluster=measured-{number}&region=r&purpose=measured"
        answer = await caller.get(path, **admin)
        assert answer.status == 200, answer.text
    caller.close()


def worker_of(running: Fleet) -> int:
    """Return the process id of the replica's worker."""
    (server,) = (replica.server.process for replica in running.replicas)
    assert server
    return int(Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()[0])


def measure(running: Fleet, kinds: Iterable[str]) -> dict[str, Times]:
    """Return the times under each kind of flood, and without one, of interleaved rounds."""
    port, core = running.ports[0], running.cores[0]
    asyncio.run(_prepare(port))
    worker = worker_of(running)
    measured: dict[str, Times] = defaultdict(Times)
    for _ in range(_ROUNDS):
        for kind in kinds:
            asyncio.run(jobs(port, worker, measured[QUIET]))
            with flooding(port, kind, core, measured[kind].flood):
                beginning = Times()
                asyncio.run(jobs(port, worker, beginning, _FIRST_SECONDS))
                measured[kind].at_first += beginning.work
                before = processor_time(worker)
                asyncio.run(jobs(port, worker, measured[kind]))
                measured[kind].seconds += processor_time(worker) - before
            asyncio.run(asyncio.sleep(1))
    return measured


def table(measured: dict[str, Times]) -> str:
    """Return the figures as Markdown."""
    quiet = percentile(measured[QUIET].finishes, 0.99)
    rows = []
    for kind in (QUIET, *(kind for kind in measured if kind != QUIET)):
        times = measured[kind]
        p99 = percentile(times.finishes, 0.99)
        statuses = ", ".join(f"{count} {code}" for code, count in times.flood.most_common(4))
        refused = ", ".join(f"{count} {code}" for code, count in times.refused.items())
        rows.append(
            [
                kind,
                f"{percentile(times.takes, 0.5):.1f}",
                f"{percentile(times.takes, 0.99):.1f}",
                f"{percentile(times.finishes, 0.5):.1f}",
                f"{p99:.1f}",
                f"{p99 / quiet:.1f}",
                f"{percentile(times.work, 0.5):.1f}",
                f"{percentile(times.work, 0.99):.1f}",
                f"{percentile(times.at_first, 0.99):.1f}",
                f"{times.seconds / _SECONDS / _ROUNDS:.0%}",
                statuses,
                refused,
            ]
        )
    heads = [
        "flood",
        "take p50",
        "p99",
        "finish p50",
        "p99",
        "p99 / quiet",
        "work p50",
        "p99",
        "at first",
        "CPU",
        "what the flooder got",
        "refused",
    ]
    return markdown(heads, rows)


def main(kinds: list[str]) -> None:
    """Print the table."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cimaster-flood-")))
        os.sched_setaffinity(0, os.sched_getaffinity(0))
        running = stack.enter_context(fleet(BusyFile(folder), folder, _CLUSTERS, 1, **settings_of(folder)))
        print(table(measure(running, kinds)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(KINDS))
