"""Three replicas archive while they are killed and frozen and lose answers: each change is archived once, in order.

The truth is what etcd received: every version of the pool, with the changes that it added; and what callers were
answered, because a change might be in no version. `python -m tests.kube.test_archive 20000` makes that many changes
and prints figures; with `20000 55`, it makes 55 a second.
"""

import itertools
import json
import random
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes.client import CoreV1Api

from cimaster.common.clock import Clock
from cimaster.pool import Pool
from cimaster.pool.decisions import archiving
from cimaster.pool.records.history import Entry
from cimaster.repository.history_ring import HistoryRing
from cimaster.repository.history_slot import Slot
from cimaster.repository.stores.kubernetes import KubernetesStore
from cimaster.services import usage_sums
from cimaster.settings import Settings
from tests.bench.fleet import records
from tests.conftest import kube_access_by
from tests.kube.apiserver import ControlPlane
from tests.kube.faults import FaultyServer
from tests.kube.stored_versions import StoredVersions, pools
from tests.process.test_creations import BRIEF_CLAIMS
from tests.replica import Replica

pytestmark = pytest.mark.slow

CLUSTERS, CALLERS, PACED_CALLERS = 60, 8, 40
LARGEST_OBJECT = 60_000  # bytes of all values
_FAULTS = ("lose_before", "lose_after", "late", "conflict_after")
_BETWEEN_FAULTS = 0.7  # seconds
_FROZEN = 5.0  # seconds: longer than a brief claim
_PAUSE = 0.4  # seconds that a job keeps its cluster, and before a refused request is repeated


@dataclass
class Storm:
    """Callers that take clusters and give them back, until there were enough changes, and the faults meanwhile.

    With a `rate` of changes per second, each caller begins its jobs at regular times.
    """

    replicas: list[Replica]
    networks: list[FaultyServer]
    target: int
    rate: float = 0.0

    def __post_init__(self) -> None:
        self.done = itertools.count(1)
        self.over = threading.Event()
        self.builds: list[str] = []  # of the jobs that took a cluster and gave it back
        self.random = random.Random(14)
        self.faults: Counter[str] = Counter()

    def run(self) -> None:
        """Make the changes."""
        count = PACED_CALLERS if self.rate else CALLERS
        callers = [threading.Thread(target=self._call, args=(number,)) for number in range(count)]
        for caller in callers:
            caller.start()
        while not self.over.wait(_BETWEEN_FAULTS):
            self._disturb()
        for caller in callers:
            caller.join()
        for network in self.networks:
            network.script.clear()
            network.release_late()

    def _call(self, number: int) -> None:
        interval = 2 * PACED_CALLERS / self.rate if self.rate else 0.0  # seconds between two jobs of this caller
        first = time.monotonic() + interval * number / PACED_CALLERS
        for round_ in itertools.count(1):
            if self.over.wait(max(first + interval * round_ - time.monotonic(), 0.0)):
                return
            build, identity = f"{number}{round_:05}", str(uuid.uuid4())
            taken = self._ask("/getvacant", job="e2e", build=build, name="ci-bot", request_id=identity)
            time.sleep(_PAUSE)
            self._ask("/finishtest", cluster=taken, job="e2e", build=build, result="pass")
            self.builds.append(build)
            if 2 * next(self.done) >= self.target:
                self.over.set()

    def _ask(self, path: str, **parameters: str) -> str:
        """Return the answer to a request, which is repeated at any replica until there is one."""
        while True:
            replica = self.random.choice(self.replicas)
            try:
                answer = requests.get(replica.url + path, params=parameters, timeout=3)
            except requests.RequestException:
                continue
            if answer.status_code == 200:
                return answer.text
            assert answer.status_code in (404, 429, 503), answer.text  # none vacant, or the store is not reached
            time.sleep(_PAUSE)

    def _disturb(self) -> None:
        kind = self.random.choice(("kill", "freeze", *_FAULTS * 3))
        self.faults[kind] += 1
        replica = self.random.choice(self.replicas)
        if kind == "kill":
            replica.server.crash()
            replica.start()
        elif kind == "freeze":
            with replica.stopped():
                self.over.wait(_FROZEN)
        else:
            network = self.random.choice(self.networks)
            network.script.append(kind)
            network.release_late()


@dataclass
class Outcome:
    """What was stored: the changes in the order in which etcd got them, those in the archive, and the last pool."""

    written: list[str]
    archived: list[Entry]
    slots: Sequence[Slot]
    last: Pool
    largest: int

    @property
    def kept(self) -> list[str]:
        """The changes in the archive and then those that only the pool has."""
        waiting = [entry for _, entry in self.last.unarchived(self.slots[0].last)]
        return [archiving.identity(entry) for entry in (*self.archived, *waiting)]


@contextmanager
def running(
    plane: ControlPlane, namespace: str, folder: Path, notices_file: str = ""
) -> Iterator[tuple[list[Replica], list[FaultyServer]]]:
    """Start three replicas with brief claims, each with a network of its own that can fail."""
    with ExitStack() as stack:
        networks = [stack.enter_context(FaultyServer(plane).running()) for _ in range(3)]
        replicas = []
        for number, network in enumerate(networks):
            kubeconfig = plane.service_account_kubeconfig(namespace, folder / f"kubeconfig-{number}", network.url)
            replica = Replica(
                folder,
                f"replica-{number}",
                arguments=("python:cimaster.gunicorn_conf", BRIEF_CLAIMS),
                CIMASTER_STORE="kubernetes",
                CIMASTER_NAMESPACE=namespace,
                KUBECONFIG=str(kubeconfig),
                CIMASTER_NOTICES_FILE=notices_file,
            )
            replicas.append(stack.enter_context(replica))
        yield replicas, networks


def fill(plane: ControlPlane, namespace: str) -> None:
    """Put a new pool of vacant clusters into the ConfigMap."""
    filled: Any = {"metadata": {"name": "clusters"}, "data": {"cluster.json": records(CLUSTERS)}}
    with plane.admin as admin:
        core = CoreV1Api(admin)
        core.delete_namespaced_config_map("clusters", namespace)
        core.create_namespaced_config_map(namespace, filled)


def carried_out(plane: ControlPlane, folder: Path, changes: int, rate: float = 0.0) -> tuple[Outcome, Storm]:
    """Make at least so many changes through three disturbed replicas, and return what was stored."""
    namespace = plane.namespace()
    plane.apply(namespace)
    fill(plane, namespace)
    with StoredVersions(plane.etcd_url, namespace) as stored:
        with running(plane, namespace, folder) as (replicas, networks):
            storm = Storm(replicas, networks, changes, rate)
            storm.run()
        versions = stored.up_to_now()
    written, last = [], Pool()
    for _, pool in pools(versions):
        if pool.commit > last.commit:
            written += [archiving.identity(entry) for entry in reversed(pool.entries_of(pool.commit))]
            last = pool
    store = KubernetesStore(kube_access_by(plane.admin_kubeconfig(folder / "admin")), namespace, "clusters")
    ring = HistoryRing(store.siblings(Settings().history_names), Clock())
    slots = ring.slots()
    archived = [entry for slot in reversed(slots) for frame in slot.frames for _, entry in frame.entries()]
    ring.close()
    store.close()
    largest = max(versions, key=lambda version: version.size)
    unarchived = sorted(version.sizes["history.json"] for version in versions if "history.json" in version.sizes)
    print("the largest pool in bytes:", largest.sizes)
    for share in (0.5, 0.9, 0.99, 1.0):
        most = unarchived[ceil(share * len(unarchived)) - 1]
        print(f"unarchived history in {share:.0%} of the versions: at most {most} bytes")
    return Outcome(written, archived, slots, last, largest.size), storm


def occupied_seconds(entries: Sequence[Entry]) -> Counter[str]:
    """Add up for how long each cluster was occupied in all; the replicas' estimates of the time differ by a second."""
    seconds: Counter[str] = Counter()
    since: dict[str, datetime] = {}
    occupied: set[str] = set()
    for entry in entries:
        assert entry.at
        at = max(entry.at, since.get(entry.cluster, entry.at))
        if entry.cluster in occupied:
            seconds[entry.cluster] += int((at - since[entry.cluster]).total_seconds())
        since[entry.cluster] = at
        (occupied.add if entry.get_text("to") == "occupied" else occupied.discard)(entry.cluster)
    return +seconds


def check(outcome: Outcome, builds: Sequence[str]) -> None:
    """Check that each change was archived once, in order, and counted once, and so was what these jobs did."""
    assert outcome.kept == outcome.written
    kept = Counter((entry["event"], entry["build"]) for entry in map(json.loads, outcome.kept))
    assert kept == Counter((event, build) for event in ("taken", "finished") for build in builds)
    assert len(set(outcome.written)) == len(outcome.written)
    assert outcome.largest <= LARGEST_OBJECT
    assert outcome.last.archive.lost == 0
    sums = [usage_sums.folded(slot).sums for slot in outcome.slots]
    takes = sum(figures.takes for each in sums for figures in each.hours.values())
    assert takes == sum(entry.event == "taken" for entry in outcome.archived)
    counted: Counter[str] = Counter()
    for key, figures in (item for each in sums for item in each.clusters.items()):
        counted[key.name] += figures.seconds.get("occupied", 0)
    assert +counted == occupied_seconds(outcome.archived)


def test_each_change_is_archived_once_while_replicas_fail(control_plane: ControlPlane, tmp_path: Path) -> None:
    outcome, storm = carried_out(control_plane, tmp_path, 1500)
    check(outcome, storm.builds)
    assert len(outcome.archived) > 1000
    assert storm.faults["kill"] + storm.faults["freeze"] > 0


def main(changes: int, rate: float = 0.0) -> None:
    """Make that many changes, check them, and print figures."""
    with ControlPlane() as plane, tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        outcome, storm = carried_out(plane, Path(folder), changes, rate)
        seconds = time.monotonic() - started
        check(outcome, storm.builds)
    size = sum(slot.size for slot in outcome.slots)
    print(
        f"{len(outcome.written)} changes in {seconds:.0f} s, {len(outcome.archived)} archived in {size} bytes of "
        f"{len(outcome.slots)} objects, each once and in order; largest pool {outcome.largest} bytes; "
        f"faults: {dict(storm.faults)}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), *map(float, sys.argv[2:]))
