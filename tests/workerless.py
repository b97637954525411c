"""A replica without its workers, so that a test decides when what is due is done."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from cimaster.observability.metrics import Metrics
from cimaster.pool import HoldTerms, Rules
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.port import Store
from cimaster.services.clusters import Clusters
from cimaster.settings import Settings


@contextmanager
def opened(store: Store, settings: Settings | None = None) -> Iterator[Clusters]:
    """Open a replica over a store, with an archive of history."""
    metrics, names = Metrics(CollectorRegistry()), (settings or Settings()).history_names
    repository = ConfigMapRepository(store, Rules(), metrics, history_names=names)
    repository.start()
    try:
        yield Clusters(repository, metrics)
    finally:
        repository.stop()


def hold(service: Clusters, *people: str) -> None:
    """Hold and release the cluster for each person."""
    for person in people:
        service.hold("cluster-01", person, HoldTerms())
        service.release("cluster-01", person, is_admin=False)
