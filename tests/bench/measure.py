"""The single figures that explain the tables: one write, lists, polling pages, callers waiting in the queue."""

import asyncio
import os
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from cimaster.repository.stores import open_store
from cimaster.settings import Settings
from tests.bench.fleet import Fleet, PoolStore, fleet
from tests.bench.load import Caller, Load

POLLERS = 64
_WAITING = 100  # callers
_FEW = 25  # clusters


def requests_per_second(port: int, path: str, callers: int, seconds: float, **headers: Any) -> float:
    """Return how often callers in a loop get a path; a status other than 200 is an error."""

    async def ask(until: float) -> int:
        caller, count = Caller("127.0.0.1", port), 0
        while time.perf_counter() < until:
            answer = await caller.get(path, **headers)
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {answer.text[:200]}")
            count += 1
        caller.close()
        return count

    async def all_callers() -> int:
        until = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(ask(until) for _ in range(callers))))

    started = time.perf_counter()
    return asyncio.run(all_callers()) / (time.perf_counter() - started)


def polling_share(running: Fleet, seconds: float) -> float:
    """Return the share of one core used by pages that poll each second while nothing changes."""

    async def poll(until: float, number: int) -> None:
        caller, tag = Caller("127.0.0.1", running.ports[0]), ""
        await asyncio.sleep(number / POLLERS)  # as pages do that were opened at different moments
        while time.perf_counter() < until:
            tagged: dict[str, Any] = {"HX-PTag": tag} if tag else {}
            answer = await caller.get("/ui/fragments/clusters", **tagged)
            if answer.status not in (200, 304):
                raise RuntimeError(f"/ui/fragments/clusters: {answer.status}")
            tag = answer.headers.get("hx-ptag", tag)
            await asyncio.sleep(1.0)
        caller.close()

    async def all_pages() -> float:
        until = time.perf_counter() + seconds + 2
        pages = [asyncio.ensure_future(poll(until, number)) for number in range(POLLERS)]
        await asyncio.sleep(2)  # the first answer of each page is the whole table
        before = running.cost().service_cpu
        await asyncio.sleep(seconds - 1)
        used = running.cost().service_cpu - before
        await asyncio.gather(*pages)
        return used / (seconds - 1)

    return asyncio.run(all_pages())


def write_time(running: Fleet) -> str:
    """Return the median time of a write of the store's present object, by the store alone."""
    asyncio.run(Load(running.ports).pairs(8, 1.0))
    environment = running.store.environment
    os.environ.update(environment)
    opened = open_store(Settings.from_environ())
    stored = opened.read()
    moments = [time.perf_counter()]
    for number in range(200):
        stored = stored.replaced(stored.data, {**stored.annotations, "bench": str(number)})
        stored = stored.at(opened.replace(stored))
        moments.append(time.perf_counter())
    opened.close()
    return f"{sorted(later - earlier for earlier, later in pairwise(moments))[100] * 1000:.1f} ms"


def single_figures(store: PoolStore, folder: Path, seconds: float) -> Iterator[tuple[str, str]]:
    """Yield the figures that need a fleet of their own, with their names."""
    with fleet(store, folder, 1000, 1) as running:
        rate = requests_per_second(running.ports[0], "/clusters", 8, seconds, Accept="application/json")
        yield "`GET /clusters` of 1,000 clusters as JSON, 1 replica", f"{rate:.0f}/s"
    with fleet(store, folder, 250, 1) as running:
        share = polling_share(running, seconds + 5)
        yield f"{POLLERS} pages that poll each second, nothing changed", f"{share:.1%} of one core"
    for replicas in (1, 3):
        with fleet(store, folder, _FEW, replicas) as running:
            figures = asyncio.run(Load(running.ports).waiting(_WAITING, seconds))
            times = f"p50 {figures.percentile(0.5) * 1000:.0f} ms, p99 {figures.percentile(0.99) * 1000:.0f} ms"
            yield (
                f"{_WAITING} callers in a loop wait for {_FEW} clusters, replicas: {replicas}",
                f"{figures.rate:.0f}/s, {times}",
            )
    for clusters in (25, 1000):
        with fleet(store, folder, clusters, 1) as running:
            figures = asyncio.run(Load(running.ports).pairs(32, seconds))
            yield f"32 callers in a loop, {clusters:,} clusters, 1 replica", f"{figures.rate:.0f}/s"
