"""`python -m tests.bench.one_caller`: what a take costs one caller, beside a bare PUT of the same object.

One replica serves a busy pool on a real API server. Takes, PUTs and requests that do nothing alternate, so that all of
them meet the same load of the machine and the same cold caches. The PUTs go to an object of the archive, which no
replica watches, from a thread on the replica's core.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from unittest.mock import patch

from cimaster.repository.stores import open_store
from cimaster.repository.stores.port import Store
from cimaster.settings import Settings
from tests.bench.fleet import Fleet, OnApiServer, fleet
from tests.bench.load import Answer, Caller
from tests.bench.object_size import BusyPool
from tests.kube.apiserver import ControlPlane

_ROUNDS, _TURNS, _WARM_UP = 10, 30, 10
_HOURS = 4  # for which the pool was in use, up to now: requests of the last hour count
_UNWATCHED = "clusters-history-07"


class BusyOnApiServer(OnApiServer):
    """The object of a pool that was in use for a while."""

    def fill(self, clusters: int) -> None:
        """Put the pool into the object."""
        super().fill(1)
        busy = BusyPool(clusters, utilisation=0.7, now=datetime.now(UTC) - timedelta(hours=_HOURS))
        busy.run(_HOURS)
        with _opened(self) as store:
            store.replace(store.read().replaced(busy.data, {}))


@contextmanager
def _opened(on: OnApiServer) -> Iterator[Store]:
    with patch.dict(os.environ, on.environment):
        store = open_store(Settings.from_environ())
    yield store
    store.close()


def main(clusters: int) -> None:
    """Print the median of each round, and of all."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cimaster-one-")))
        on = BusyOnApiServer(stack.enter_context(ControlPlane()))
        running = stack.enter_context(fleet(on, folder, clusters, 1))
        watched = stack.enter_context(_opened(on))
        (unwatched,) = watched.siblings([_UNWATCHED])
        every = asyncio.run(_rounds(running, Puts(watched, unwatched)))
        size = sum(len(text.encode()) for text in watched.read().data.values())
    print(f"{clusters:,} clusters, {size:,} bytes, all rounds: {every}")


@dataclass
class Figures:
    """The seconds of each take, of each PUT, and of each request that does nothing."""

    takes: list[float] = field(default_factory=list)
    puts: list[float] = field(default_factory=list)
    empty: list[float] = field(default_factory=list)

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(self.takes + other.takes, self.puts + other.puts, self.empty + other.empty)

    def __str__(self) -> str:
        take, put, empty = (median(seconds) * 1000 for seconds in (self.takes, self.puts, self.empty))
        return (
            f"take {take:.2f} ms, PUT {put:.2f} ms, empty request {empty:.2f} ms; take / PUT {take / put:.2f}, "
            f"(PUT + empty request) / PUT {(put + empty) / put:.2f}"
        )


class Puts:
    """Writes the data of one object into another one."""

    def __init__(self, source: Store, target: Store) -> None:
        self._source, self._target = source, target
        self._data, self._stored = source.read().data, target.read()
        self._number = 0

    def copy(self) -> None:
        """Use the present data of the source from now on."""
        self._data = self._source.read().data

    def put(self) -> float:
        """Write, and return the seconds of the PUT."""
        self._number += 1
        self._stored = self._stored.replaced(self._data, {**self._stored.annotations, "bench": str(self._number)})
        started = time.perf_counter()
        version = self._target.replace(self._stored)
        seconds = time.perf_counter() - started
        self._stored = self._stored.at(version)
        return seconds


async def _rounds(running: Fleet, puts: Puts) -> Figures:
    caller = Caller("127.0.0.1", running.ports[0])
    every = Figures()
    with ThreadPoolExecutor(1, initializer=os.sched_setaffinity, initargs=(0, {running.cores[0]})) as putting:
        for number in range(_ROUNDS):
            puts.copy()
            figures = await _round(caller, puts, putting, number)
            print(f"round {number}: {figures}", flush=True)
            every += figures
    caller.close()
    return every


async def _round(caller: Caller, puts: Puts, putting: ThreadPoolExecutor, number: int) -> Figures:
    figures = Figures()
    for turn in range(_WARM_UP + _TURNS):
        if turn == _WARM_UP:
            figures = Figures()
        figures.takes.append(await _take(caller, f"{number}-{turn}"))
        figures.puts.append(await asyncio.get_running_loop().run_in_executor(putting, puts.put))
        figures.empty.append((await _timed_get(caller, "/healthz"))[0])
    return figures


async def _take(caller: Caller, build: str) -> float:
    """Take and give back; return the seconds of the take."""
    seconds, taken = await _timed_get(caller, f"/getvacant?job=e2e-conformance-1.32&build={build}&name=ci-bot")
    given_back = await caller.get(f"/finishtest?cluster={taken.text}&lease={taken.headers['cimaster-lease']}")
    assert (taken.status, given_back.status) == (200, 200)
    return seconds


async def _timed_get(caller: Caller, path: str) -> tuple[float, Answer]:
    started = time.perf_counter()
    answer = await caller.get(path)
    return time.perf_counter() - started, answer


if __name__ == "__main__":
    for count in [int(count) for count in sys.argv[1:]] or [60]:
        main(count)
