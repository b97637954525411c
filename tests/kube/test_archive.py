"""Thousands of changes through three replicas that are killed and frozen, and whose writes are lost or late.

At each moment, the archive and the pool together have each change exactly once, in order, and the object stays small.
`python -m tests.kube.test_archive 20000` makes as many changes as one wishes.
"""

import asyncio
import itertools
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from cimaster.pool.records.object_size import byte_count
from tests.bench.load import Answer, Caller
from tests.kube.apiserver import ControlPlane
from tests.kube.archived_changes import ArchiveVersions, JudgedArchive
from tests.kube.faults import FaultyServer
from tests.kube.stored_versions import StoredVersion
from tests.kube.test_fair_queue import fill
from tests.replica import Replica

pytestmark = pytest.mark.slow

CLUSTERS, CALLERS = 60, 24
_RATE = 40  # changes per second: far more than a pool of this size has, so that much is unarchived during a fault
_FROZEN = 4.5  # seconds, which is longer than a claim on the archive in this test
_FATES = ("lose_before", "lose_after", "conflict_after", "late", "unavailable")
_PAUSE, _PATIENCE = 0.1, 10.0  # seconds before a request is repeated, and for one answer
_LARGEST_OBJECT, _LARGEST_HISTORY = 60_000, 40_000  # bytes


@dataclass
class Load:
    """Jobs that take clusters and give them back, at any replica, and what they were answered."""

    replicas: list[Replica]
    changes: int
    random: random.Random
    answered: list[tuple[str, str, int]] = field(default_factory=list)  # event, build, commit

    async def run(self) -> None:
        """Make the changes, at a steady rate as long as replicas answer."""
        numbers, began = iter(range(self.changes // 2)), time.monotonic()
        await asyncio.gather(*(self._caller(numbers, began) for _ in range(CALLERS)))

    async def _caller(self, numbers: Iterator[int], began: float) -> None:
        for number in numbers:
            await asyncio.sleep(max(began + 2 * number / _RATE - time.monotonic(), 0.0))
            job: dict[str, str] = {"job": "e2e", "build": str(number)}
            taken = await self._ask("/getvacant", **job, request_id=f"take-{number}")
            finished = await self._ask("/finishtest", **job, cluster=taken.text, request_id=f"finish-{number}")
            for event, answer in (("taken", taken), ("finished", finished)):
                self.answered.append((event, str(number), int(answer.headers["cimaster-commit"])))

    async def _ask(self, path: str, **parameters: str) -> Answer:
        """Return the final answer to a request, which is repeated until there is one."""
        target = f"{path}?{urlencode(parameters)}"
        while True:
            caller = Caller("127.0.0.1", int(self.random.choice(self.replicas).url.rpartition(":")[2]))
            try:
                answer = await asyncio.wait_for(caller.get(target, tries=1), _PATIENCE)
            except (OSError, TimeoutError):
                await asyncio.sleep(_PAUSE)
                continue
            finally:
                caller.close()
            if answer.status not in (429, 503):
                assert answer.status == 200, (target, answer.status, answer.text)
                return answer
            await asyncio.sleep(_PAUSE)


class Faults:
    """Kills, freezes and deceives replicas, one after the other."""

    def __init__(self, replicas: list[Replica], networks: list[FaultyServer], seed: int) -> None:
        self._replicas, self._networks, self._random = replicas, networks, random.Random(seed)
        self.seen: Counter[str] = Counter()

    async def run(self, load: asyncio.Task[None]) -> None:
        """Cause faults until the load is done."""
        for fault in itertools.cycle((self._kill, self._lose, self._freeze, self._lose)):
            if load.done():
                break
            self.seen[fault.__name__.strip("_")] += 1
            await fault()
        for network in self._networks:
            network.script.clear()
            network.release_late()

    async def _kill(self) -> None:
        replica = self._random.choice(self._replicas)
        replica.server.crash()
        await asyncio.to_thread(replica.start)

    async def _freeze(self) -> None:
        with self._random.choice(self._replicas).stopped():
            await asyncio.sleep(_FROZEN)

    async def _lose(self) -> None:
        """Lose answers to writes, at some replicas only to those of the archive."""
        for network in self._networks:
            network.aim = self._random.choice(["", "-history-"])
            network.script.extend(self._random.choices(_FATES, k=3))
        await asyncio.sleep(2.0)
        for network in self._networks:
            network.release_late()


@contextmanager
def three_replicas(
    plane: ControlPlane, namespace: str, folder: Path
) -> Iterator[tuple[list[Replica], list[FaultyServer]]]:
    """Three replicas over one ConfigMap, each behind a network that can fail."""
    with ExitStack() as stack:
        networks = [stack.enter_context(FaultyServer(plane).running()) for _ in range(3)]
        replicas = []
        for name, network in zip("abc", networks, strict=True):
            path = plane.service_account_kubeconfig(namespace, folder / f"kubeconfig-{name}", network.url)
            environment: dict[str, str] = {
                "CIMASTER_STORE": "kubernetes",
                "CIMASTER_NAMESPACE": namespace,
                "KUBECONFIG": str(path),
                "CIMASTER_DEADLINE": "5s",
            }
            arguments = ("python:cimaster.gunicorn_conf", "tests.kube.brief_archive:app")
            replicas.append(stack.enter_context(Replica(folder, name, arguments=arguments, **environment)))
        yield replicas, networks


@dataclass
class Outcome:
    """What happened: the judged archive, the versions of the pool's object, and what callers and readers saw."""

    judged: JudgedArchive
    versions: list[StoredVersion]
    answered: list[tuple[str, str, int]]
    faults: Counter[str]
    histories: list[list[dict[str, Any]]]  # the newest changes, as each replica shows them
    usage: dict[str, Any]

    @property
    def archivers(self) -> int:
        """How many replicas had the claim on the archive, a restarted one counting again."""
        owners = {json.loads(version.object().data.get("archive.json", "{}")).get("by") for version in self.versions}
        return len(owners - {None})

    def largest(self, *keys: str) -> int:
        """Return the most bytes that these keys had in any version; all keys if none are given."""
        data = (version.object().data for version in self.versions)
        return max(sum(byte_count(text) for key, text in each.items() if not keys or key in keys) for each in data)


def outcome(plane: ControlPlane, folder: Path, changes: int, seed: int) -> Outcome:
    """Make the changes under faults."""
    namespace = plane.namespace()
    plane.apply(namespace)
    fill(plane, namespace, CLUSTERS)
    with (
        ArchiveVersions(plane.etcd_url, namespace) as versions,
        three_replicas(plane, namespace, folder) as (replicas, networks),
    ):
        load, faults = Load(replicas, changes, random.Random(seed)), Faults(replicas, networks, seed)
        asyncio.run(_run(load, faults))
        histories = [_newest_changes(replica) for replica in replicas]
        usage = replicas[0].http.get(f"{replicas[0].url}/usage?since=1d", headers={"Accept": "application/json"}).json()
        stored = versions.pool()
        return Outcome(versions.judge(), stored, load.answered, faults.seen, histories, usage)


async def _run(load: Load, faults: Faults) -> None:
    running = asyncio.create_task(load.run())
    await faults.run(running)
    await running


def _newest_changes(replica: Replica) -> list[dict[str, Any]]:
    answer = replica.http.get(f"{replica.url}/history?limit=1000", headers={"Accept": "application/json"}, timeout=30)
    found: list[dict[str, Any]] = json.loads(answer.text)["history"]
    return [{key: value for key, value in each.items() if key not in ("purpose", "region")} for each in found]


def problems(seen: Outcome) -> list[str]:
    """Return what must not have happened."""
    judged = seen.judged
    found = list(judged.problems)
    stored = Counter((change["event"], change["build"], change["commit"]) for change in judged.changes)
    found += [
        f"{answer} was answered, and stored {stored[answer]} times" for answer in seen.answered if stored[answer] != 1
    ]
    twice = Counter((change["event"], change["build"]) for change in judged.changes)
    found += [f"{change} happened {count} times" for change, count in twice.items() if count != 1]
    found += [
        f"replica {number} shows another history"
        for number, history in enumerate(seen.histories)
        if history != [dict(change) for change in reversed(judged.changes)][: len(history)]
    ]
    takes = sum(change["event"] == "taken" for change in judged.changes)
    if seen.usage["total"]["takes"] != takes:
        found.append(f"usage counts {seen.usage['total']['takes']} of {takes} takes")
    return found


def test_each_change_is_archived_once_and_in_order_under_faults(control_plane: ControlPlane, tmp_path: Path) -> None:
    seen = outcome(control_plane, tmp_path, changes=2000, seed=5)
    assert problems(seen) == []
    assert len(seen.answered) == len(seen.judged.changes) == 2000
    assert seen.judged.writes > 20
    assert seen.archivers >= 2
    assert seen.largest("history.json") < _LARGEST_HISTORY
    assert seen.largest() < _LARGEST_OBJECT


def main(changes: int) -> int:
    """Print what happens to so many changes; return 1 if anything is wrong."""
    with ControlPlane() as plane, tempfile.TemporaryDirectory(prefix="cimaster-archive-") as folder:
        seed, began = random.randrange(1000), time.monotonic()
        seen = outcome(plane, Path(folder), changes, seed)
    judged = seen.judged
    print(
        f"seed {seed}: {len(judged.changes)} changes in {time.monotonic() - began:.0f} s, {len(seen.versions)} versions"
    )
    print(
        f"{judged.archived} archived in {judged.writes} writes by {seen.archivers} replicas; faults: {dict(seen.faults)}"
    )
    keys = sorted({key for version in seen.versions[-1:] for key in version.object().data})
    print(f"largest object {seen.largest()} bytes;", ", ".join(f"{key} {seen.largest(key)}" for key in keys))
    found = problems(seen)
    print("\n".join(found[:20]) or "each change once and in order at each moment, and as answered")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
