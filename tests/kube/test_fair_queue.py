"""100 jobs and 10 people wait for 20 clusters at three replicas, which are killed and replaced meanwhile.

Every one of them is served once, in the promised order (`tests.serving_order` says what that means).
"""

import asyncio
import itertools
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from kubernetes.client import CoreV1Api

from cimaster.pool import Pool
from tests.bench.fleet import records
from tests.bench.load import Answer, Caller
from tests.kube.apiserver import ControlPlane
from tests.kube.stored_versions import StoredVersions, pools
from tests.pool_history import PoolHistory
from tests.replica import Replica
from tests.serving_order import HELD_WHEN_FREE, TAKEN, out_of_turn

pytestmark = pytest.mark.slow

CLUSTERS, JOBS, PEOPLE, KILLS = 20, 100, 10, 4
PRIORITIES = ("low", "normal", "normal", "high")
_PAUSE = 0.1  # seconds before a request without an answer is repeated
_PATIENCE = 35.0  # seconds for one answer; a request waits for at most 25 s
_WORK = 0.5, 1.5  # seconds for which a job or person keeps a cluster


@dataclass
class Vacated:
    """A cluster that was given back: when its caller asked for that, and the commit that did it."""

    cluster: str
    asked_at: float
    commit: int


@dataclass
class Served:
    """A cluster that a waiting caller got: when it learned that, and the commit that gave it."""

    cluster: str
    at: float
    commit: int


@dataclass
class Crowd:
    """All callers, and what they saw."""

    replicas: list[Replica]
    random: random.Random
    vacated: list[Vacated] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)
    got: Counter[str] = field(default_factory=Counter)

    async def ask(self, path: str, **parameters: str) -> Answer:
        """Return the final answer to a request, which is repeated until there is one, at any replica."""
        target = f"{path}?{urlencode(parameters)}"
        while True:
            replica = self.random.choice(self.replicas)
            caller = Caller("127.0.0.1", int(replica.url.rpartition(":")[2]))
            try:
                answer = await asyncio.wait_for(caller.get(target, tries=1, accept="application/json"), _PATIENCE)
            except (OSError, TimeoutError):
                await asyncio.sleep(_PAUSE)
                continue
            finally:
                caller.close()
            if answer.status not in (429, 503):
                assert answer.status in (200, 202), (target, answer.status, answer.text)
                return answer
            await asyncio.sleep(float(answer.headers.get("retry-after", _PAUSE)))

    async def take(self, build: str, **more: str) -> str:
        """Take a cluster for a job, waiting for it, and return the parameters of its finish."""
        answer = await self.ask("/getvacant", job="e2e", build=build, request_id=f"r-{build}", **more)
        record, commit = answer.json(), int(answer.headers["cimaster-commit"])
        self.served.append(Served(record["name"], time.monotonic(), commit))
        self.got[build] += 1
        return str(record["name"])

    async def finish(self, build: str, cluster: str) -> None:
        """Give a job's cluster back."""
        await self._give_back(cluster, "/finishtest", job="e2e", build=build)

    async def release(self, person: str, cluster: str) -> None:
        """Release a person's cluster."""
        await self._give_back(cluster, "/releasecluster", name=person)

    async def _give_back(self, cluster: str, path: str, **caller: str) -> None:
        asked_at = time.monotonic()
        answer = await self.ask(path, cluster=cluster, request_id=f"{path}-{cluster}-{asked_at}", **caller)
        self.vacated.append(Vacated(cluster, asked_at, int(answer.headers["cimaster-commit"])))

    async def job(self, number: int) -> None:
        """Wait for a cluster, work, and give it back."""
        build = str(number)
        cluster = await self.take(build, wait="10m", priority=PRIORITIES[number % len(PRIORITIES)])
        await asyncio.sleep(self.random.uniform(*_WORK))
        await self.finish(build, cluster)

    async def person(self, name: str) -> None:
        """Ask for a cluster, go away, look now and then whether it is held, and release it after a while."""
        answer = await self.ask("/holdcluster", cluster="any", name=name, wait="1h", request_id=f"r-{name}")
        assert answer.status == 202, answer.text
        while not (held := (await self.ask("/clusters", holder=name)).json()["clusters"]):
            await asyncio.sleep(0.5)
        assert len(held) == 1
        self.got[name] += 1
        await asyncio.sleep(self.random.uniform(*_WORK))
        await self.release(name, held[0]["name"])

    async def is_complete(self) -> bool:
        """Say whether everyone is in the queue."""
        return len((await self.ask("/queue")).json()["tickets"]) == JOBS + PEOPLE


async def wait_and_serve(crowd: Crowd) -> None:
    """Let all of them wait behind jobs that have all clusters, and end these jobs while replicas are killed."""
    builds = [f"first-{number}" for number in range(CLUSTERS)]
    first = [(build, await crowd.take(build)) for build in builds]
    crowd.served.clear()
    callers = [asyncio.create_task(crowd.job(number)) for number in range(JOBS)]
    callers += [asyncio.create_task(crowd.person(f"person-{number}")) for number in range(PEOPLE)]
    while not await crowd.is_complete():
        await asyncio.sleep(0.2)
    for replica in itertools.islice(itertools.cycle(crowd.replicas), KILLS):
        replica.server.crash()
        ending, first = first[: CLUSTERS // KILLS], first[CLUSTERS // KILLS :]
        callers += [asyncio.create_task(crowd.finish(*each)) for each in ending]
        await asyncio.to_thread(replica.start)
    await asyncio.gather(*callers)


@contextmanager
def three_replicas(plane: ControlPlane, namespace: str, folder: Path) -> Iterator[list[Replica]]:
    """Three replicas over one filled ConfigMap."""
    environment: dict[str, Any] = {
        "CIMASTER_STORE": "kubernetes",
        "CIMASTER_NAMESPACE": namespace,
        "KUBECONFIG": str(plane.service_account_kubeconfig(namespace, folder / "kubeconfig")),
    }
    with ExitStack() as stack:
        yield [stack.enter_context(Replica(folder, name, **environment)) for name in "abc"]


def fill(plane: ControlPlane, namespace: str, clusters: int = CLUSTERS) -> None:
    """Put a new pool of vacant clusters into the ConfigMap."""
    filled: Any = {"metadata": {"name": "clusters"}, "data": {"cluster.json": records(clusters)}}
    with plane.admin as admin:
        core = CoreV1Api(admin)
        core.delete_namespaced_config_map("clusters", namespace)
        core.create_namespaced_config_map(namespace, filled)


def hand_over_times(vacated: list[Vacated], served: list[Served]) -> list[float]:
    """Return seconds from the request that gave a cluster back to when the next waiting caller learned of it."""
    times = []
    for each in vacated:
        next_one = [after for after in served if after.cluster == each.cluster and after.commit >= each.commit]
        if next_one:
            times.append(min(next_one, key=lambda after: after.commit).at - each.asked_at)
    return times


def test_everyone_is_served_once_in_order_while_replicas_die(control_plane: ControlPlane, tmp_path: Path) -> None:
    namespace = control_plane.namespace()
    control_plane.apply(namespace)
    fill(control_plane, namespace)
    with StoredVersions(control_plane.etcd_url, namespace) as stored:
        with three_replicas(control_plane, namespace, tmp_path) as replicas:
            crowd = Crowd(replicas, random.Random(7))
            asyncio.run(wait_and_serve(crowd))
        seen = list(pools(stored.up_to_now()))
    history = PoolHistory()
    problems = [problem for _, pool in seen for problem in history.follow(pool)]
    problems += [text for (_, before), (_, after) in pairwise(seen) for text in out_of_turn(before, after)]
    assert problems == []
    assert history.gaps == 0
    assert_served_once(crowd, [pool for _, pool in seen])
    for version, pool in seen:
        holds = [entry for entry in pool.entries_of(pool.commit) if entry.event == HELD_WHEN_FREE]
        crowd.served += [Served(entry.cluster, version.seen_at, pool.commit) for entry in holds]
    times = hand_over_times(crowd.vacated, crowd.served)
    median, slow = statistics.median(times) * 1000, statistics.quantiles(times, n=10)[-1] * 1000
    print(f"{len(times)} hand-overs to waiting callers: median {median:.0f} ms, 90th percentile {slow:.0f} ms")


def assert_served_once(crowd: Crowd, seen: list[Pool]) -> None:
    """Check that each caller was served once, by its own account and by what was stored, and that nothing is left."""
    jobs = [str(number) for number in range(JOBS)] + [f"first-{number}" for number in range(CLUSTERS)]
    people = [f"person-{number}" for number in range(PEOPLE)]
    assert crowd.got == Counter([*jobs, *people])
    entries = [entry for pool in seen for entry in pool.entries_of(pool.commit)]
    assert Counter(entry.build for entry in entries if entry.event == TAKEN) == Counter(jobs)
    assert Counter(entry.by for entry in entries if entry.event == HELD_WHEN_FREE) == Counter(people)
    assert [cluster.state for cluster in seen[-1].clusters] == ["vacant"] * CLUSTERS
    assert len(seen[-1].queue) == 0
