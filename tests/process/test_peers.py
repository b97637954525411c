"""Replicas that write at once: one carries the changes of all, and none is lost when that one goes away."""

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.bench.fleet import records
from tests.conditions import until
from tests.replica import Replica

pytestmark = pytest.mark.kube
CALLERS = 24


@pytest.fixture
def replicas(control_plane, kube_access: str, tmp_path: Path) -> Iterator[list[Replica]]:
    """Three replicas over a pool of as many clusters as there are callers."""
    from kubernetes.client import CoreV1Api

    with control_plane.admin as admin:
        core = CoreV1Api(admin)
        core.delete_namespaced_config_map("clusters", kube_access)
        filled = {"metadata": {"name": "clusters"}, "data": {"cluster.json": records(CALLERS)}}
        core.create_namespaced_config_map(kube_access, filled)
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                Replica(tmp_path, name, CIMASTER_STORE="kubernetes", CIMASTER_NAMESPACE=kube_access)
            )
            for name in "abc"
        ]  # fmt: skip


def passed_on(replica: Replica) -> float:
    """Return how many changes a replica had carried out by another one."""
    text = requests.get(replica.metrics_url, timeout=10).text
    name = 'cimaster_passed_on_total{outcome="answered"} '
    return sum(float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name))


def pairs_until(replicas: list[Replica], enough: Callable[[int], bool]) -> list[tuple[str, float, float]]:
    """Let callers take and give back, each request repeated until it is answered; return who had what, and when."""
    tenancies: list[tuple[str, float, float]] = []

    def ask(number: int, path: str, **parameters: str) -> requests.Response:
        parameters["request_id"] = str(uuid.uuid4())
        while True:
            for replica in [*replicas[number % 3 :], *replicas[: number % 3]]:
                try:
                    answer = requests.get(replica.url + path, params=parameters, timeout=30)
                except requests.RequestException:
                    continue
                if answer.status_code != 503:
                    return answer

    def live(number: int) -> None:
        for turn in itertools.count():
            if enough(turn):
                return
            taken = ask(number, "/getvacant", job="e2e", build=str(number))
            assert taken.status_code == 200, taken.text
            since = time.monotonic()
            lease = taken.headers["CIMaster-Lease"]
            until = time.monotonic()
            assert ask(number, "/finishtest", cluster=taken.text, lease=lease).status_code == 200
            tenancies.append((taken.text, since, until))

    with ThreadPoolExecutor(CALLERS) as callers:
        for done in [callers.submit(live, number) for number in range(CALLERS)]:
            done.result()
    return tenancies


def overlapping(tenancies: list[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    ordered = sorted(tenancies)
    return [later for earlier, later in itertools.pairwise(ordered) if earlier[0] == later[0] and later[1] < earlier[2]]


def test_under_load_changes_are_passed_on_and_nobody_gets_what_another_has(replicas: list[Replica]) -> None:
    tenancies = pairs_until(replicas, lambda turn: turn == 15)
    assert not overlapping(tenancies)
    assert len(tenancies) == CALLERS * 15
    assert sum(map(passed_on, replicas)) > 100


def test_when_the_one_that_writes_is_killed_or_frozen_the_others_go_on(replicas: list[Replica]) -> None:
    ended = threading.Event()
    told: list[list[tuple[str, float, float]]] = []
    load = threading.Thread(target=lambda: told.append(pairs_until(replicas, lambda _: ended.is_set())))
    load.start()
    try:
        for replica in replicas:
            until(lambda: sum(map(passed_on, replicas)) > 50)
            replica.server.crash()
            replica.start()
        for replica in replicas:
            with replica.stopped():
                before = sum(commits(other) for other in replicas if other is not replica)
                others = [other for other in replicas if other is not replica]
                until(lambda before=before, others=others: sum(map(commits, others)) > before + 20)
    finally:
        ended.set()
        load.join()
    assert not overlapping(told[0])
    until(lambda: states(replicas[0]) == {"vacant"})


def test_what_lay_at_a_frozen_replica_is_lent_to_nobody_when_it_goes_on(replicas: list[Replica]) -> None:
    for frozen in replicas:
        pairs_until(replicas, lambda turn: turn == 5)  # now they pass changes on
        others = [replica for replica in replicas if replica is not frozen]
        with frozen.stopped(), ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(pair, itertools.islice(itertools.cycle(others), CALLERS)))
        pair(frozen)
    until(lambda: states(replicas[0]) == {"vacant"})


def pair(replica: Replica) -> None:
    """Take a cluster without a request_id, and give it back."""
    taken = requests.get(f"{replica.url}/getvacant", params={"job": "e2e", "build": "1"}, timeout=30)
    assert taken.status_code == 200, taken.text
    said = {"cluster": taken.text, "lease": taken.headers["CIMaster-Lease"]}
    assert requests.get(f"{replica.url}/finishtest", params=said, timeout=30).status_code == 200


def states(replica: Replica) -> set[str]:
    """Return the states that a replica lists, which may be those of a moment ago."""
    listed = requests.get(f"{replica.url}/clusters", headers={"Accept": "application/json"}, timeout=10)
    return {record["state"] for record in listed.json()["clusters"]}


def commits(replica: Replica) -> float:
    """Return the number of the newest change that a replica knows."""
    text = requests.get(replica.metrics_url, timeout=10).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("cimaster_commit "))
