"""What is measured: takes and give-backs under load, and the few single figures that explain them."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

from kubernetes.config import kube_config

from cimaster.settings import Settings
from cimaster.stores import open_store
from tests.bench.fleet import Fleet, PoolStore, fleet
from tests.bench.load import Caller, Figures, Load
from tests.bench.table import Row

CALLERS = (1, 8, 32, 100, 200)
BURSTS = (40, 100)
POOLS = (25, 250, 1000)
WAITING = (100,)
POLLERS = 64
_WARM_UP = 1.5  # seconds
NAIVE = "naive, 1 replica"


def label(replicas: int) -> str:
    """Name our service as the table does."""
    return f"CIMaster, {replicas} replica{'s' if replicas > 1 else ''}"


def warm(running: Fleet) -> None:
    """Let everything be imported, connected and compiled before it is measured."""
    asyncio.run(Load(running.ports).pairs(8, _WARM_UP))


def rows(
    running: Fleet, service: str, clusters: int, seconds: float, callers: tuple[int, ...],
    bursts: tuple[int, ...] = (), waiting: tuple[int, ...] = (),
) -> Iterator[Row]:  # fmt: skip
    """Measure one fleet with so many callers, with bursts of them, and with callers that wait."""
    load = Load(running.ports)

    def row(kind: str, run: Callable[[], Figures]) -> Row:
        before = running.cost()
        figures = run()
        return Row(running.store.name, service, clusters, kind, figures, running.cost().since(before))

    for count in callers:
        yield row(str(count), lambda count=count: asyncio.run(load.pairs(count, seconds)))  # type: ignore[misc]
    for count in waiting:
        yield row(f"{count} wait", lambda count=count: asyncio.run(load.waiting(count, seconds)))  # type: ignore[misc]
    for count in bursts:
        yield row(f"{count} at once", lambda count=count: asyncio.run(load.burst(count)))  # type: ignore[misc]


def requests_per_second(port: int, path: str, callers: int, seconds: float, **headers: str) -> float:
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

    begun = time.perf_counter()
    return asyncio.run(all_callers()) / (time.perf_counter() - begun)


def polling_share(running: Fleet, seconds: float) -> float:
    """Return the share of one core that pages cost which poll each second while nothing changes."""

    async def poll(until: float, number: int) -> None:
        caller, tag = Caller("127.0.0.1", running.ports[0]), ""
        await asyncio.sleep(number / POLLERS)  # as pages do, which were opened at different moments
        while time.perf_counter() < until:
            answer = await caller.get("/ui/fragments/clusters", **({"HX-PTag": tag} if tag else {}))
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


def write_time(store: PoolStore, environment: dict[str, str]) -> float:
    """Return the median time of a write of the store's present object, by nothing but the store itself."""
    os.environ.update(environment)
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = environment.get("KUBECONFIG", "")  # it was set at the import
    opened = open_store(Settings.from_environ())
    stored = opened.read()
    moments = [time.perf_counter()]
    for number in range(200):
        stored = stored.replaced(stored.data, {**stored.annotations, "bench": str(number)})
        stored = stored.at(opened.replace(stored))
        moments.append(time.perf_counter())
    opened.close()
    return sorted(later - earlier for earlier, later in pairwise(moments))[100]


def single_figures(store: PoolStore, folder: Path, seconds: float) -> Iterator[tuple[str, str]]:
    """Yield the figures that need a fleet of their own, with their names."""
    with fleet(store, folder, 1000, 1) as running:
        rate = requests_per_second(running.ports[0], "/clusters", 8, seconds, Accept="application/json")
        yield "`GET /clusters` of 1,000 clusters as JSON, 1 replica", f"{rate:.0f}/s"
    with fleet(store, folder, 250, 1) as running:
        share = polling_share(running, seconds + 5)
        yield f"{POLLERS} pages that poll each second, nothing changed", f"{share:.1%} of one core"
    for core, where in (("any", "kept on one core"), ("all", "as gunicorn runs it")):
        with fleet(store, folder, 25, 1, "tests.bench.trivial:app", CIMASTER_CORE=core) as running:
            rate = requests_per_second(running.ports[0], "/", 200, seconds)
            yield f"a Flask route that does nothing, {where}, 200 callers", f"{rate:.0f}/s"
