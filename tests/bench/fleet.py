"""The setup of a benchmark run: a filled store, replicas of a service over it, and the cost of both."""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import requests
from kubernetes.client import CoreV1Api

from cimaster.repository.stores.sqlite import SQLiteStore
from tests.kube.apiserver import ControlPlane
from tests.replica import Replica
from tests.server import Server

_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE = re.compile(r"^(cimaster_[a-z_]+?)(?:_total)?(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


def records(count: int) -> str:
    """Return the stored array of a number of vacant clusters."""
    return json.dumps(
        [
            {
                "name": f"cluster-{number:04}",
                "region": "us-west",
                "status": "finished",
                "lastJob": "",
                "lastBuild": "",
                "lastTriggerName": "",
                "hold": False,
                "disabled": False,
                "purpose": "tess-ci",
                "osimage": "centos-atomic-7.6.1810-qcow2",
            }
            for number in range(count)
        ]
    )


class Embedded:
    """One SQLite file."""

    name = "embedded"

    def __init__(self, folder: Path) -> None:
        self._path = Path(tempfile.mkdtemp(dir=folder)) / "pool.db"
        self.environment = {"CIMASTER_STORE": f"sqlite:{self._path}"}
        self.servers: tuple[Server, ...] = ()

    def fill(self, clusters: int) -> None:
        """Put a new pool into the file."""
        for old in self._path.parent.glob("pool.db*"):
            old.unlink()
        store = SQLiteStore(str(self._path), "clusters")
        store.replace(store.read().replaced({"cluster.json": records(clusters)}, {}))
        store.close()


class OnApiServer:
    """One ConfigMap of a real API server, used as the service account of k8s/."""

    name = "API server"

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane
        self._namespace = control_plane.namespace()
        control_plane.apply(self._namespace)
        kubeconfig = control_plane.service_account_kubeconfig(
            self._namespace, control_plane.folder / f"{self._namespace}.kubeconfig"
        )
        self.environment = {
            "CIMASTER_STORE": "kubernetes",
            "CIMASTER_NAMESPACE": self._namespace,
            "KUBECONFIG": str(kubeconfig),
        }
        self.servers = control_plane.servers

    def fill(self, clusters: int) -> None:
        """Put a new pool into the object."""
        with self._control_plane.admin as admin:
            core = CoreV1Api(admin)
            core.delete_namespaced_config_map("clusters", self._namespace)
            filled: Any = {"metadata": {"name": "clusters"}, "data": {"cluster.json": records(clusters)}}
            core.create_namespaced_config_map(self._namespace, filled)


PoolStore = Embedded | OnApiServer


def cpu_seconds(server: Server) -> float:
    """Return the processor time that a server and its children have used."""
    if server.process is None:
        return 0.0
    used = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == server.process.pid:  # the process group; each server leads one of its own
            used += (int(fields[11]) + int(fields[12])) / _TICKS
    return used


def resident_bytes(server: Server) -> int:
    """Return the memory in use by a server's largest process."""
    sizes = [0]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            if server.process and int(fields[2]) == server.process.pid:
                sizes.append(int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))
        except OSError:
            continue
    return max(sizes)


@dataclass(frozen=True)
class Cost:
    """What replicas and store have used so far."""

    service_cpu: float
    store_cpu: float
    commits: float
    carried: float
    conflicts: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(one + another for one, another in zip(astuple(self), astuple(other), strict=True)))

    def since(self, before: "Cost") -> "Cost":
        """Return the difference."""
        return Cost(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))


class Fleet:
    """Replicas of one service over one store."""

    def __init__(self, store: PoolStore, replicas: list[Replica], cores: list[int]) -> None:
        self.store, self.replicas, self.cores = store, replicas, cores
        self.ports = [int(replica.url.rpartition(":")[2]) for replica in replicas]

    def cost(self) -> Cost:
        """Return the cost so far; replicas of another program have no counters of their own."""
        seen: dict[str, float] = {}
        for replica in self.replicas:
            answer = requests.get(replica.metrics_url, timeout=10)
            for name, value in _SAMPLE.findall(answer.text if answer.ok else ""):
                seen[name] = seen.get(name, 0.0) + float(value)
        return Cost(
            sum(cpu_seconds(replica.server) for replica in self.replicas),
            sum(cpu_seconds(server) for server in self.store.servers),
            seen.get("cimaster_batch_size_count", 0.0),
            seen.get("cimaster_batch_size_sum", 0.0),
            seen.get("cimaster_conflicts", 0.0),
        )


@contextmanager
def fleet(
    store: PoolStore,
    folder: Path,
    clusters: int,
    replicas: int,
    application: str = "",
    code: Path | None = None,
    **environment: str,
) -> Iterator[Fleet]:
    """Start replicas over a new pool: of our service, of another `application` (module:name), or of other `code`."""
    store.fill(clusters)
    arguments = ["python:tests.bench.plain_conf", application] if application else ["python:cimaster.gunicorn_conf"]
    cores = sorted(os.sched_getaffinity(0))  # by number, so that not all replicas land on one by chance
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                Replica(
                    Path(tempfile.mkdtemp(dir=folder)),
                    f"replica-{number}",
                    arguments=arguments,
                    code=code,
                    **{"CIMASTER_CORE": str(cores[number % len(cores)]), **store.environment, **environment},
                )
            )
            for number in range(replicas)
        ]
        yield Fleet(store, started, [cores[number % len(cores)] for number in range(replicas)])
