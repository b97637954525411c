"""A refusal counts once a read has confirmed the state that it was decided on; another state decides anew."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from prometheus_client import CollectorRegistry

from cimaster.errors import UnknownCluster
from cimaster.observability.metrics import Metrics
from cimaster.pool import Rules
from cimaster.pool.records.pool import Answer, Pool
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.port import Store

RECORD = '[{"name": "cluster-01", "region": "us-west", "status": "finished"}]'


@pytest.fixture
def repository(store: Store) -> Iterator[ConfigMapRepository]:
    """A repository without the workers of an application, which write when they like."""
    repository = ConfigMapRepository(store, Rules(), Metrics(CollectorRegistry()))
    repository.start()
    repository.fresh()
    yield repository
    repository.stop()


def test_on_an_unchanged_state_it_is_decided_once(repository: ConfigMapRepository) -> None:
    decided_on: list[Pool] = []

    def decide(pool: Pool, _: datetime) -> tuple[Pool, Answer]:
        decided_on.append(pool)
        raise UnknownCluster("cluster-01 is not known")

    with pytest.raises(UnknownCluster):
        repository.update(decide)
    assert len(decided_on) == 1


def test_on_a_changed_state_it_is_decided_again(repository: ConfigMapRepository, another_store: Store) -> None:
    decided_on: list[Pool] = []

    def decide(pool: Pool, _: datetime) -> tuple[Pool, Answer]:
        decided_on.append(pool)
        if not pool.clusters:
            stored = another_store.read()
            another_store.replace(stored.replaced({"cluster.json": RECORD}, stored.annotations))
            raise UnknownCluster("cluster-01 is not known")
        return pool, Answer(pool.find("cluster-01").name)

    assert repository.update(decide).answer.text == "cluster-01"
    assert [len(pool.clusters) for pool in decided_on] == [0, 1]
    another_store.close()
