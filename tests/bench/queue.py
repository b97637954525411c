"""`make bench-queue`: what a take and its give-back cost while many callers wait, on both stores.

Rounds with none and with many waiting alternate. The callers wait for clusters that other jobs have. Measured are a
kind that none of them wants, and a cluster that is given back and goes to the first of them.
"""

import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from unittest.mock import patch

from prometheus_client import CollectorRegistry

from cimaster.observability.metrics import Metrics
from cimaster.pool import Answer, ClusterFacts, Criteria, FinishRequest, Pool, Request, Rules, WaitTerms
from cimaster.pool.decisions import queue_order
from cimaster.pool.records.ticket import BETWEEN_POLLS, NORMAL, Ticket
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores import open_store
from cimaster.services.clusters import Clusters
from cimaster.settings import Settings
from tests.bench.fleet import Embedded, OnApiServer, PoolStore
from tests.kube.apiserver import ControlPlane

_CLUSTERS, _WAITING, _PAIRS, _ROUNDS = 60, 1000, 200, 3
_OTHER_PURPOSE = "perf"
_LONG = timedelta(hours=5)


def main() -> None:
    """Print the median cost of a pair with none and with many waiting."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cimaster-queue-")))
        stores: Iterable[PoolStore] = (Embedded(folder), OnApiServer(stack.enter_context(ControlPlane())))
        for store in stores:
            for waiting in (0, _WAITING) * _ROUNDS:
                store.fill(_CLUSTERS)
                with patch.dict(os.environ, store.environment):
                    other, served = _measured(waiting)
                figures = f"another kind {other:.1f} ms, served {served:.1f} ms"
                print(f"{store.name}, {waiting:,} waiting: {figures}", flush=True)


def _measured(waiting: int) -> tuple[float, float]:
    """Return the median milliseconds of a take and give-back of another kind, and of a give-back and take in turn."""
    repository = ConfigMapRepository(open_store(Settings.from_environ()), Rules(), Metrics(CollectorRegistry()))
    clusters = Clusters(repository, Metrics(CollectorRegistry()))
    repository.start()
    try:
        tickets = _prepare(clusters, waiting)
        return _median(_pairs_of_another_kind(clusters)), _median(_pairs_served(clusters, tickets))
    finally:
        repository.stop()


def _prepare(clusters: Clusters, waiting: int) -> list[Ticket]:
    """Lend all clusters, add a free one of another kind, and put the callers into the queue."""
    for build in range(_CLUSTERS):
        clusters.take(Criteria("e2e-conformance", str(build), "ci-bot"))
    clusters.add("free", "root", ClusterFacts("us-west", _OTHER_PURPOSE))
    now = clusters.now()
    tickets = [_ticket(number, now) for number in range(waiting)]

    def queue(pool: Pool, _now: datetime) -> tuple[Pool, Answer]:
        for ticket in tickets:
            pool = queue_order.put(pool, ticket)
        return pool, Answer("")

    clusters.repository.update(queue)
    return tickets


def _ticket(number: int, now: datetime) -> Ticket:
    wanted = Criteria("e2e-conformance", str(20_000 + number), "ci-bot")
    ticket = Ticket.new(str(uuid.uuid4()), "0" * 16, wanted, now, _LONG, NORMAL, f"{number:012}")
    return ticket.connected(now + _LONG, BETWEEN_POLLS)


def _median(pairs: Iterator[Callable[[], object]]) -> float:
    seconds = []
    for pair in pairs:
        began = time.perf_counter()
        pair()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1000


def _pairs_of_another_kind(clusters: Clusters) -> Iterator[Callable[[], object]]:
    def pair() -> None:
        taken = clusters.take(Criteria("perf-test", "1", "ci-bot", purpose=_OTHER_PURPOSE))
        clusters.finish(FinishRequest(taken.answer.text, taken.answer.lease))

    for _ in range(_PAIRS):
        yield pair


def _pairs_served(clusters: Clusters, tickets: list[Ticket]) -> Iterator[Callable[[], object]]:
    for number in range(_PAIRS):
        lent = next(cluster for cluster in clusters.view().pool.clusters if cluster.lease)
        assert lent.lease
        finish = FinishRequest(lent.name, lent.lease.id)
        yield partial(_pass_on, clusters, finish, tickets[number] if tickets else None)


def _pass_on(clusters: Clusters, finish: FinishRequest, ticket: Ticket | None) -> None:
    """Give a cluster back, and have the first caller in the queue take it, or another one if none waits."""
    clusters.finish(finish)
    if ticket is None:
        request = Request(str(uuid.uuid4()), "0" * 16, "getvacant")
        taken = clusters.take(Criteria("e2e-conformance", "1", "ci-bot"), request)
    else:
        request = Request(ticket.id, ticket.hash, "getvacant", ticket.owner)
        terms = WaitTerms(_LONG, connected_for=timedelta(seconds=25))
        taken = clusters.take_or_wait(ticket.criteria, terms, request)
    assert taken.answer.text == finish.cluster


if __name__ == "__main__":
    main()
