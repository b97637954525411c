"""`make bench-identity`: what it costs a take and a finish that callers are identified, on both stores.

Three replicas with a pool each: one believes its callers, one knows static tokens, one has tokens of service accounts
reviewed by the API server, which it remembers for a minute. One caller takes and finishes at each in turn, in random
order, so that all meet the same load of the machine.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from kubernetes.client import CoreV1Api

from tests.bench.fleet import Embedded, Fleet, OnApiServer, PoolStore, fleet
from tests.bench.flood import percentile, processor_time, settings_of, worker_of
from tests.bench.load import Caller
from tests.bench.table import markdown
from tests.kube.apiserver import ControlPlane
from tests.required import bearer

OPEN, STATIC, REVIEWED = "open", "static token", "TokenReview"
_ROUNDS, _PAIRS, _WARM_UP, _CLUSTERS = 10, 40, 20, 60


@dataclass
class Times:
    """Seconds of takes, seconds of finishes, and the replica's processor time of each pair."""

    takes: list[float] = field(default_factory=list)
    finishes: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Mode:
    """A replica, and the header with which its caller identifies itself."""

    running: Fleet
    headers: dict[str, Any]
    times: Times = field(default_factory=Times)


class Accounts:
    """A namespace with the account of the service, which may review tokens, and the account of a job."""

    def __init__(self, control_plane: ControlPlane, folder: Path) -> None:
        namespace = control_plane.namespace()
        control_plane.apply(namespace, "overlays/required")
        wanted: Any = {"spec": {"audiences": ["cimaster"], "expirationSeconds": 3600}}
        account: Any = {"metadata": {"name": "e2e"}}
        with control_plane.admin as admin:
            CoreV1Api(admin).create_namespaced_service_account(namespace, account)
            made: Any = CoreV1Api(admin).create_namespaced_service_account_token("e2e", namespace, wanted)
        self.token = f"Bearer {made.status.token}"
        self.kubeconfig = str(control_plane.service_account_kubeconfig(namespace, folder / "reviewer.kubeconfig"))


class ReviewingOnApiServer(OnApiServer):
    """One ConfigMap, used by a service that may also review tokens."""

    def __init__(self, control_plane: ControlPlane) -> None:
        super().__init__(control_plane)
        control_plane.apply(self.environment["CIMASTER_NAMESPACE"], "overlays/required")


def stores(control_plane: ControlPlane, folder: Path) -> Iterator[tuple[str, Callable[[], PoolStore]]]:
    """Yield both kinds of stores: a name, and a function that makes one."""
    yield "API server", lambda: ReviewingOnApiServer(control_plane)
    yield "embedded", lambda: Embedded(folder)


@contextmanager
def modes(store: Callable[[], PoolStore], folder: Path, accounts: Accounts) -> Iterator[dict[str, Mode]]:
    """Start a replica for each mode."""
    required = settings_of(Path(tempfile.mkdtemp(dir=folder)))
    with Path(required["CIMASTER_ROLES_FILE"]).open("a") as roles:
        roles.write("ci system:serviceaccount:*\n")
    reviewed = {"CIMASTER_SERVICE_ACCOUNTS": "on", "KUBECONFIG": accounts.kubeconfig}
    with ExitStack() as stack:

        def started(headers: dict[str, Any], **environment: Any) -> Mode:
            made = store()
            made.environment = {**environment, **made.environment, "CIMASTER_CORE": "0"}
            return Mode(stack.enter_context(fleet(made, folder, _CLUSTERS, 1)), headers)

        yield {
            OPEN: started({}, CIMASTER_AUTH="open"),
            STATIC: started(dict(bearer("ci-1")), **required),
            REVIEWED: started({"Authorization": accounts.token}, **required, **reviewed),
        }


async def _pair(mode: Mode, caller: Caller, number: int, worker: int, times: Times) -> None:
    started, before = time.perf_counter(), processor_time(worker)
    taken = await caller.get(f"/getvacant?job=e2e&build={number}", **mode.headers)
    between = time.perf_counter()
    lease = taken.headers.get("cimaster-lease", "")
    finished = await caller.get(f"/finishtest?cluster={taken.text}&lease={lease}", **mode.headers)
    ended = time.perf_counter()
    assert (taken.status, finished.status) == (200, 200), taken.text + finished.text
    times.takes.append(between - started)
    times.finishes.append(ended - between)
    times.work.append(processor_time(worker) - before)


async def measure(measured: dict[str, Mode]) -> None:
    """Take and finish at each replica in turn."""
    callers = {name: Caller("127.0.0.1", mode.running.ports[0]) for name, mode in measured.items()}
    workers = {name: worker_of(mode.running) for name, mode in measured.items()}
    for number in range(_WARM_UP + _ROUNDS * _PAIRS):
        for name in random.sample(list(measured), len(measured)):
            mode = measured[name]
            times = mode.times if number >= _WARM_UP else Times()
            await _pair(mode, callers[name], number, workers[name], times)
    for caller in callers.values():
        caller.close()


def _row(store: str, name: str, times: Times, believed: Times) -> list[str]:
    columns = (times.takes, times.finishes)
    figures = [f"{percentile(seconds, share):.2f}" for seconds in columns for share in (0.5, 0.99)]
    work = median(times.work) / median(believed.work)
    return [store, name, *figures, f"{median(times.takes) / median(believed.takes):.3f}", f"{work:.3f}"]


def main() -> None:
    """Print the table."""
    heads = ("store", "callers", "take p50", "p99", "finish p50", "p99", "take / open", "processor time / open")
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cimaster-identity-")))
        control_plane = stack.enter_context(ControlPlane())
        accounts = Accounts(control_plane, folder)
        for name, store in stores(control_plane, folder):
            with modes(store, folder, accounts) as measured:
                asyncio.run(measure(measured))
            rows += [_row(name, kind, mode.times, measured[OPEN].times) for kind, mode in measured.items()]
    print(markdown(heads, rows), flush=True)


if __name__ == "__main__":
    main()
