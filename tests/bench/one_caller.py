"""`python -m tests.bench.one_caller`: what a take costs one caller, beside a bare PUT of the same object.

One replica serves a busy pool on a real API server. Rounds of takes and of PUTs alternate. The PUTs go to an object of
the archive, which no replica watches.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from unittest.mock import patch

from cimaster.repository.stores import open_store
from cimaster.repository.stores.port import Store
from cimaster.settings import Settings
from tests.bench.fleet import Fleet, OnApiServer, fleet
from tests.bench.load import Caller
from tests.bench.object_size import BusyPool
from tests.kube.apiserver import ControlPlane

_ROUNDS, _CALLS, _WARM_UP = 10, 40, 5
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
        takes, puts = asyncio.run(_rounds(running, watched, unwatched))
        size = sum(len(text.encode()) for text in watched.read().data.values())
    take, put = median(takes) * 1000, median(puts) * 1000
    print(f"{clusters:,} clusters, {size:,} bytes: take {take:.2f} ms, PUT {put:.2f} ms, ratio {take / put:.2f}")


async def _rounds(running: Fleet, watched: Store, unwatched: Store) -> tuple[list[float], list[float]]:
    """Return the seconds of each take and of each PUT."""
    caller = Caller("127.0.0.1", running.ports[0])
    takes: list[float] = []
    puts: list[float] = []
    for number in range(_ROUNDS):
        these_takes, these_puts = await _takes(caller, number), _puts(watched, unwatched)
        print(f"round {number}: take {median(these_takes) * 1000:.2f} ms, PUT {median(these_puts) * 1000:.2f} ms")
        takes += these_takes
        puts += these_puts
    caller.close()
    return takes, puts


async def _takes(caller: Caller, number: int) -> list[float]:
    """Take and give back; only the takes are timed."""
    seconds = []
    for call in range(_WARM_UP + _CALLS):
        started = time.perf_counter()
        taken = await caller.get(f"/getvacant?job=e2e-conformance-1.32&build={number}-{call}&name=ci-bot")
        seconds.append(time.perf_counter() - started)
        given_back = await caller.get(f"/finishtest?cluster={taken.text}&lease={taken.headers['cimaster-lease']}")
        assert (taken.status, given_back.status) == (200, 200)
    return seconds[_WARM_UP:]


def _puts(watched: Store, unwatched: Store) -> list[float]:
    """Write the data of the watched object into the other one."""
    data, stored = watched.read().data, unwatched.read()

    def put(number: int) -> None:
        nonlocal stored
        stored = stored.replaced(data, {**stored.annotations, "bench": str(number)})
        stored = stored.at(unwatched.replace(stored))

    return [_timed(put, number) for number in range(_WARM_UP + _CALLS)][_WARM_UP:]


def _timed(act: Callable[[int], None], number: int) -> float:
    started = time.perf_counter()
    act(number)
    return time.perf_counter() - started


if __name__ == "__main__":
    for count in [int(count) for count in sys.argv[1:]] or [60]:
        main(count)
