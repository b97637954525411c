"""Three replicas on a real API server, callers and faults: every answer must have been true."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from kubernetes.client import CoreV1Api

from tests.bench.fleet import records
from tests.chaos.callers import Observations, Person
from tests.chaos.checker import NEVER, Operation, steps_back, violations
from tests.chaos.events import Events
from tests.kube.apiserver import ControlPlane
from tests.kube.faults import FaultyServer
from tests.replica import Replica

DEADLINE = 5.0  # seconds; the default is 20, and every pause of a replica would take longer than that
CLUSTERS, PEOPLE = 24, 48
_KINDS = 3  # faults that a storm has at least
_SKEWS = (4, -3)  # seconds by which the clocks of two replicas are wrong; one is off by an hour for a while


@dataclass
class Outcome:
    """The result of a storm."""

    observed: Observations
    events: Events
    seconds: float
    problems: list[str]

    @property
    def slowest_return(self) -> float:
        """Seconds from the return of the API server to the next cluster that a caller got, at worst."""
        gaps = (
            min((moment - back for moment in self.observed.successes if moment >= back), default=0.0)
            for back in self.events.store_back
        )
        return max(gaps, default=0.0)


class Storm:
    """The replicas, callers and faults of one run."""

    def __init__(self, plane: ControlPlane, folder: Path, seed: int, application: str = "wsgi:app") -> None:
        self._plane, self._folder, self._seed, self._application = plane, folder, seed, application
        self._namespace = plane.namespace()
        plane.apply(self._namespace)

    def rage(self, operations: int, longest: float, patience: float = 30.0) -> Outcome:
        """Run until this many requests were answered (or this many seconds are over), then judge.

        Leases and holds that must expire have `patience` seconds to do so.
        """
        self._fill()
        observed, started = Observations(), time.monotonic()
        with self._replicas() as (replicas, networks):
            events = Events(self._plane, replicas, networks, DEADLINE, self._seed)
            events.start()
            try:
                asyncio.run(self._live(replicas, observed, events, operations, longest))
            finally:
                events.stop()
            for network in networks:
                network.release_late()
            stored = self._settled(replicas[0], observed, patience)
        return Outcome(observed, events, time.monotonic() - started, _judge(observed, stored))

    async def _live(
        self, replicas: list[Replica], observed: Observations, events: Events, operations: int, longest: float
    ) -> None:
        """Let all callers continue until there were enough operations and faults."""
        people = [Person(number, replicas, observed, self._seed) for number in range(PEOPLE)]
        until = time.monotonic() + longest

        def goes_on() -> bool:
            enough = observed.operations >= operations and len(events.seen) >= _KINDS
            return not enough and time.monotonic() < until

        await asyncio.gather(*(person.live(goes_on) for person in people))

    def _fill(self) -> None:
        with self._plane.admin as admin:
            core = CoreV1Api(admin)
            core.delete_namespaced_config_map("clusters", self._namespace)
            filled: Any = {"metadata": {"name": "clusters"}, "data": {"cluster.json": records(CLUSTERS)}}
            core.create_namespaced_config_map(self._namespace, filled)

    @contextmanager
    def _replicas(self) -> Iterator[tuple[list[Replica], list[FaultyServer]]]:
        """Start the replicas: the first talks to the API server, the others through a network that can fail."""
        with ExitStack() as stack:
            networks = [stack.enter_context(FaultyServer(self._plane).running()) for _ in _SKEWS]
            for network, skew in zip(networks, _SKEWS, strict=True):
                network.skew = timedelta(seconds=skew)
            addresses = [self._plane.url, *(network.url for network in networks)]
            yield [stack.enter_context(self._replica(*each)) for each in enumerate(addresses)], networks

    def _replica(self, number: int, address: str) -> Replica:
        kubeconfig = self._plane.service_account_kubeconfig(
            self._namespace, self._folder / f"kubeconfig-{number}", address
        )
        return Replica(
            self._folder,
            f"replica-{number}",
            arguments=("python:cimaster.gunicorn_conf", self._application),
            CIMASTER_STORE="kubernetes",
            CIMASTER_NAMESPACE=self._namespace,
            KUBECONFIG=str(kubeconfig),
            CIMASTER_DEADLINE=f"{DEADLINE:.0f}s",
        )

    @staticmethod
    def _settled(replica: Replica, observed: Observations, patience: float) -> list[dict[str, str]]:
        """Return the stored records once everything that expires has expired."""
        until = time.monotonic() + patience
        while True:
            listed = replica.http.get(
                f"{replica.url}/clusters?after=1", headers={"Accept": "application/json"}, timeout=30
            )
            stored: list[dict[str, str]] = json.loads(listed.text)["clusters"]
            strangers = [r for r in stored if r["state"] == "occupied" and r["lastBuild"] not in observed.unknown_takes]
            if not strangers or time.monotonic() > until:
                return stored
            time.sleep(0.2)


def _judge(observed: Observations, stored: list[dict[str, str]]) -> list[str]:
    now = time.monotonic()
    problems = [f"stuck: {text}" for text in observed.stuck] + steps_back(observed.history)
    seen = list(observed.history)
    for record in stored:
        unclaimed = record["state"] == "occupied" and record["lastBuild"] in observed.unknown_takes
        tenant = "" if unclaimed else str(record.get("leaseId") or record.get("holdBy") or "")
        seen.append(Operation(record["name"], "see", tenant, now, NEVER))
    return problems + violations(seen)


def storm(seed: int, operations: int, longest: float) -> Outcome:
    """Run a storm on a control plane of its own."""
    with ControlPlane() as plane, tempfile.TemporaryDirectory(prefix="cimaster-chaos-") as folder:
        return Storm(plane, Path(folder), seed).rage(operations, longest)
